// What every part of a signed-in page can reach: the session, the last look at the host, what to say aloud.
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Session } from './session.ts';
import type { HostStatus } from './types.ts';
import type { Resource } from './use-resource.ts';

export interface Notice {
  readonly id: number;
  readonly tone: 'good' | 'bad';
  readonly text: string;
  readonly detail?: string | undefined;
}

export interface Shared {
  readonly session: Session;
  readonly status: Resource<HostStatus>;
  /** Shown for a while, and read out. */
  readonly notify: (tone: Notice['tone'], text: string, detail?: string) => void;
}

export const SharedContext = createContext<Shared | undefined>(undefined);

export function useShared(): Shared {
  const shared = useContext(SharedContext);
  if (!shared) throw new Error('a part of the page stands outside of it');
  return shared;
}

export const useApi = () => useShared().session.api;
export const useMay = () => useShared().session.may;
