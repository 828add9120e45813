// Keeps messages that no gate has judged yet in a form that can be taken back for good. held.ts seals what it stores, and forgets the key when nothing is held any more.
//
// A store that copies pages on write keeps what was removed: in free pages, until something else happens to need them. What a gate denies must be nowhere, and
// held messages are stored before they are judged. So they are stored sealed, under a key in a file of its own that is written over when the last of them is gone.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { MessageRow } from '../../store/tables.ts';

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export class HeldSeal {
  readonly #file: string;
  #key: Buffer | undefined;
  /** The file is made, read and written over one after the other. Never rejects. */
  #turn: Promise<unknown> = Promise.resolve();

  /** `file` is made (mode 0600) when the first message is sealed. */
  constructor(file: string) {
    this.#file = file;
  }

  /** The key is on disk before this resolves: what is committed with the result can be opened after a crash. */
  async seal(message: MessageRow): Promise<string> {
    const key = await this.#inTurn(async () => (await this.#read()) ?? (await this.#make()));
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, key, nonce);
    return Buffer.concat([nonce, cipher.update(JSON.stringify(message)), cipher.final(), cipher.getAuthTag()]).toString('base64');
  }

  /** Undefined when it was sealed under a key that is gone. */
  async open(sealed: string): Promise<MessageRow | undefined> {
    const key = await this.#inTurn(() => this.#read());
    if (!key) return undefined;
    const bytes = Buffer.from(sealed, 'base64');
    const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const message: MessageRow = JSON.parse(Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString());
      return message;
    } catch {
      return undefined; // another key's
    }
  }

  /** Nothing sealed so far can be opened any more. */
  forget(): Promise<void> {
    return this.#inTurn(async () => {
      const key = await this.#read();
      if (!key) return;
      this.#key = undefined;
      await writeThrough(this.#file, Buffer.alloc(KEY_BYTES), 'r+');
      key.fill(0);
      await rm(this.#file);
    });
  }

  async #read(): Promise<Buffer | undefined> {
    if (this.#key) return this.#key;
    try {
      const key = await readFile(this.#file);
      return (this.#key = key.length === KEY_BYTES && key.some((byte) => byte !== 0) ? key : undefined);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #make(): Promise<Buffer> {
    const key = randomBytes(KEY_BYTES);
    const draft = `${this.#file}.part`;
    await rm(draft, { force: true });
    await writeThrough(draft, key, 'wx');
    await rename(draft, this.#file);
    await using folder = await open(dirname(this.#file));
    await folder.sync();
    return (this.#key = key);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

async function writeThrough(file: string, bytes: Buffer, flags: 'r+' | 'wx'): Promise<void> {
  await using handle = await open(file, flags, 0o600);
  await handle.write(bytes, 0, bytes.length, 0);
  await handle.sync();
}
