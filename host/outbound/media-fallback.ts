// What leaves of the blocks of a message: as they are where the channel can send them, as lines of text where it cannot, or nothing. Pure, so that the same message becomes the same text on every try. outbound-media.ts asks it for every message that has blocks.
import type { BlobKind, LinkedBlob, MediaBlock, MediaContact, MediaLocation, StoredBlob } from '../../schemas/media.ts';
import type { MediaPolicy } from '../../schemas/policy.ts';

export interface Outgoing {
  readonly text: string;
  readonly media: readonly MediaBlock[];
}

/** What the host knows of a stored file it still has; what a skill says of one is what it remembers. */
export interface Address {
  readonly mimeType: string;
  readonly sizeBytes: number;
  /** Absent when nobody could reach it. */
  readonly url?: string;
}

export interface Fitting {
  /** The channel has the ability `media`. */
  readonly can: boolean;
  readonly outbound: Required<MediaPolicy>['outbound'];
  /** By the id of the stored file. */
  readonly addresses: Readonly<Record<string, Address>>;
}

/** `unsupported` says what the channel was to send and cannot, where policy rejects that. */
export function fitMedia({ text, media }: Outgoing, { can, outbound, addresses }: Fitting): Outgoing | { readonly unsupported: string } {
  if (media.length === 0) return { text, media };
  if (!can && outbound === 'reject') return { unsupported: listed(media.map(({ kind }) => kind)) };
  const left: MediaBlock[] = [];
  const lines: string[] = [];
  for (const block of media) {
    const known = knownOf(block, addresses);
    // A stored file that is gone is told of in words, whatever the channel can.
    if (can && !(isStored(known) && known.url === undefined)) left.push(known);
    else lines.push(lineOf(known, outbound === 'link'));
  }
  return { text: [text, ...lines].filter((each) => each !== '').join('\n'), media: left };
}

function knownOf(block: MediaBlock, addresses: Fitting['addresses']): MediaBlock {
  if (!isStored(block)) return block;
  const { url: _url, ...stored } = block;
  return Object.hasOwn(addresses, block.id) ? { ...stored, ...addresses[block.id] } : stored;
}

const isStored = (block: MediaBlock): block is StoredBlob => 'id' in block;

function lineOf(block: MediaBlock, withAddress: boolean): string {
  switch (block.kind) {
    case 'location':
      return `[location: ${parts(block.name, coordinates(block))}]`;
    case 'contact':
      return `[contact: ${parts(block.name, ...(block.phones ?? []), ...(block.emails ?? []))}]`;
    default:
      return blobLine(block, withAddress);
  }
}

function blobLine(blob: LinkedBlob | StoredBlob, withAddress: boolean): string {
  const facts = parts(blob.name, blob.sizeBytes === undefined ? undefined : size(blob.sizeBytes));
  const label = facts === '' ? `[${blob.kind}]` : `[${blob.kind}: ${facts}]`;
  return withAddress && blob.url !== undefined ? `${label} ${blob.url}` : label;
}

const parts = (...texts: readonly (string | undefined)[]) => texts.filter((each) => each !== undefined && each !== '').join(', ');

/** Five digits are about a metre. */
const coordinates = ({ latitude, longitude }: MediaLocation) => `${Number(latitude.toFixed(5))}, ${Number(longitude.toFixed(5))}`;

/** SI prefixes, as file managers and messengers write them. */
function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const [unit, per] = bytes < 999_500 ? (['kB', 1e3] as const) : bytes < 999_500_000 ? (['MB', 1e6] as const) : (['GB', 1e9] as const);
  const value = bytes / per;
  return `${value < 9.95 ? Number(value.toFixed(1)) : Math.round(value)} ${unit}`;
}

function listed(kinds: readonly (BlobKind | MediaLocation['kind'] | MediaContact['kind'])[]): string {
  return [...Map.groupBy(kinds, (kind) => kind)].map(([kind, all]) => (all.length === 1 ? `1 ${kind}` : `${all.length} × ${kind}`)).join(', ');
}
