// What the host itself wrote into the home, so that the watcher takes it for nobody's change. The registry tells, the watcher asks.
import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { basename } from 'node:path';
import { readRegularFile } from '../trust/regular-file.ts';

export class OwnWrites {
  /** By real path; the last text of each. */
  readonly #digests = new Map<string, string>();

  /** Told before the text can be seen. */
  remember(path: string, text: string): void {
    this.#digests.set(path, digestOf(text));
  }

  /** Whether the file holds exactly what the host wrote. Once it holds something else, that was somebody else's doing, and so is whatever follows. */
  async holds(path: string): Promise<boolean> {
    const name = basename(path);
    if (![...this.#digests.keys()].some((each) => basename(each) === name)) return false;
    try {
      const target = await realpath(path);
      const mine = this.#digests.get(target);
      if (mine === undefined) return false;
      if (mine === digestOf(await readRegularFile(target))) return true;
      this.#digests.delete(target);
    } catch {
      // gone, or not readable: not as the host left it
    }
    return false;
  }
}

const digestOf = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');
