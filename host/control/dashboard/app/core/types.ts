// Shapes that every list of the API has, and the look at the host that the whole page shares.
export type { StatusView as HostStatus } from '../../../../../schemas/status.ts';

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly cursor: string | null;
}
