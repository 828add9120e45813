// Addresses of stored files for whoever is given one: signed, for one file under one name, for some hours. Made when a message leaves, read by the control plane under /media/.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { BOUNDS } from '../../schemas/bounds.ts';
import type { MediaBlock } from '../../schemas/media.ts';
import type { Clock } from '../clock.ts';

const KEY_BYTES = 32;
const EXPIRY_BYTES = 6;
/** Of 32: 128 bits are nothing anybody guesses. */
const MAC_BYTES = 16;
const DIGEST_BYTES = 32;
const HEAD_BYTES = EXPIRY_BYTES + MAC_BYTES + DIGEST_BYTES;
const NAME_BYTES = 120;
const MOST_CHARACTERS = Math.ceil(((HEAD_BYTES + NAME_BYTES) * 4) / 3);

/** What a genuine address says. */
export interface LinkedFile {
  readonly id: string;
  /** Empty when the sender gave none. */
  readonly name: string;
  readonly expiresAtMs: number;
}

export class MediaLinks {
  readonly #key: Buffer;
  readonly #clock: Clock;

  constructor(key: Buffer, clock: Clock) {
    this.#key = key;
    this.#clock = clock;
  }

  /** The key is in a file of its own (0600), made when there is none. Without it every address given so far is void, and nothing else is lost. */
  static async open(file: string, clock: Clock): Promise<MediaLinks> {
    const known = await readFile(file).catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (known?.length === KEY_BYTES) return new MediaLinks(known, clock);
    const key = randomBytes(KEY_BYTES);
    const draft = `${file}.part`;
    await rm(draft, { force: true });
    await using handle = await open(draft, 'wx', 0o600);
    await handle.writeFile(key);
    await handle.sync();
    await rename(draft, file);
    return new MediaLinks(key, clock);
  }

  /**
   * The path of an address. It is valid for an hour at least, and changes only every six hours counted from `sinceMs`, the time of the message: a request that holds
   * it is the same on every try, so that none is made twice.
   */
  pathOf({ id, name, sinceMs }: { readonly id: string; readonly name: string; readonly sinceMs: number }): string {
    const until = this.#clock.now() + BOUNDS.mediaLinkLeastMs;
    const windows = Math.max(1, Math.ceil((until - sinceMs) / BOUNDS.mediaLinkMs));
    const expiry = Buffer.alloc(EXPIRY_BYTES);
    expiry.writeUIntBE(sinceMs + windows * BOUNDS.mediaLinkMs, 0, EXPIRY_BYTES);
    const rest = Buffer.concat([Buffer.from(id.slice('sha256:'.length), 'hex'), cut(name)]);
    return `/media/${Buffer.concat([expiry, this.#mac(expiry, rest), rest]).toString('base64url')}`;
  }

  /** Blocks as a channel may show them once more: stored files with a path of this host. */
  addressed(blocks: readonly MediaBlock[], sinceMs: number): MediaBlock[] {
    return blocks.map((block) => ('id' in block ? { ...block, url: this.pathOf({ id: block.id, name: block.name ?? '', sinceMs }) } : block));
  }

  /** What the last part of a path leads to; undefined when it is forged, over, or no address at all. */
  read(token: string): LinkedFile | undefined {
    if (token.length > MOST_CHARACTERS) return undefined;
    const bytes = Buffer.from(token, 'base64url');
    if (bytes.length < HEAD_BYTES || bytes.toString('base64url') !== token) return undefined;
    const expiry = bytes.subarray(0, EXPIRY_BYTES);
    const rest = bytes.subarray(EXPIRY_BYTES + MAC_BYTES);
    if (!timingSafeEqual(bytes.subarray(EXPIRY_BYTES, EXPIRY_BYTES + MAC_BYTES), this.#mac(expiry, rest))) return undefined;
    const expiresAtMs = expiry.readUIntBE(0, EXPIRY_BYTES);
    if (expiresAtMs <= this.#clock.now()) return undefined;
    return { id: `sha256:${rest.toString('hex', 0, DIGEST_BYTES)}`, name: rest.toString('utf8', DIGEST_BYTES), expiresAtMs };
  }

  #mac(expiry: Buffer, rest: Buffer): Buffer {
    return createHmac('sha256', this.#key).update('gatehouse media link 1\n').update(expiry).update(rest).digest().subarray(0, MAC_BYTES);
  }
}

/** As many bytes of a name as an address has room for, never half a character. */
function cut(name: string): Buffer {
  const bytes = Buffer.from(name);
  if (bytes.length <= NAME_BYTES) return bytes;
  let end = NAME_BYTES;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
}
