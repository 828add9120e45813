// Looks for a value wherever it might have got to: files, texts, the memory of processes. Made without the host's own search, so that both would have to be blind in the same place.
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A value in one of the forms in which it may turn up. */
interface Form {
  readonly name: string;
  readonly bytes: Buffer;
}

export interface Sighting {
  /** The name of the canary. */
  readonly value: string;
  readonly form: string;
  readonly place: string;
}

/** Every form of a value: as text in three encodings, base64 in both alphabets at every offset, hex, percent-encoded, as a JSON string, backwards. */
function formsOf(value: string): Form[] {
  const forms = new Map<string, Buffer>();
  const add = (name: string, text: string) => forms.set(name, Buffer.from(text));
  add('plain', value);
  forms.set('UTF-16', Buffer.from(value, 'utf16le'));
  add('backwards', Array.from(value).toReversed().join(''));
  for (const alphabet of ['base64', 'base64url'] as const) {
    for (const before of [0, 1, 2]) {
      // Three more bytes on each side, of which no character of the middle is made.
      const whole = Buffer.from(`${'\0'.repeat(3 + before)}${value}${'\0'.repeat(3)}`).toString(alphabet);
      const first = Math.ceil(((3 + before) * 8) / 6);
      const last = Math.floor(((3 + before + Buffer.byteLength(value)) * 8) / 6);
      add(`${alphabet}+${before}`, whole.slice(first, last));
    }
  }
  add('hex', Buffer.from(value).toString('hex'));
  add('HEX', Buffer.from(value).toString('hex').toUpperCase());
  add('percent', encodeURIComponent(value));
  add('percent in lower case', encodeURIComponent(value).replaceAll(/%../g, (each) => each.toLowerCase()));
  add('JSON', JSON.stringify(value).slice(1, -1));
  add('JSON twice', JSON.stringify(JSON.stringify(value).slice(1, -1)).slice(1, -1));
  return [...forms].map(([name, bytes]) => ({ name, bytes }));
}

/** Where which of the named values is seen, in which form first. */
export class Watch {
  readonly #values: readonly { readonly value: string; readonly forms: readonly Form[] }[];
  readonly sightings: Sighting[] = [];
  /** How much was looked through, by the first word of its place. */
  readonly looked = new Map<string, number>();

  constructor(values: Readonly<Record<string, string>>) {
    this.#values = Object.entries(values).map(([value, text]) => ({ value, forms: formsOf(text) }));
  }

  /** `place` begins with the kind of place: `file data/store/data.mdb`. */
  look(place: string, content: string | Buffer): void {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    const kind = place.split(' ')[0] ?? '';
    this.looked.set(kind, (this.looked.get(kind) ?? 0) + bytes.length);
    for (const { value, forms } of this.#values) {
      const form = forms.find((each) => bytes.includes(each.bytes));
      if (form && !this.sightings.some((each) => each.value === value && each.place === place)) this.sightings.push({ value, form: form.name, place });
    }
  }

  /** Every file below a folder, and the names of files and folders. */
  lookInto(folder: string): void {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      this.look(`name ${path}`, path);
      if (entry.isFile()) this.look(`file ${path}`, readFileSync(path));
    }
  }

  /** All memory that a process has written, and its environment. False when this user may not read it. */
  lookIntoMemory(pid: number): boolean {
    let memory: number;
    try {
      this.look(`environment ${pid}`, readFileSync(`/proc/${pid}/environ`));
      memory = openSync(`/proc/${pid}/mem`, 'r');
    } catch {
      return false; // another user's process, or no /proc
    }
    try {
      const chunk = Buffer.alloc(4 * 1024 * 1024 + OVERLAP);
      for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
        const [, from, to, mode, inode, name = ''] = /^([0-9a-f]+)-([0-9a-f]+) (r\S*) \S+ \S+ (\d+)\s*(.*)$/.exec(line) ?? [];
        if (from === undefined || to === undefined || mode === undefined || name.startsWith('[v')) continue; // what the kernel maps itself
        if (inode !== '0' && !mode.includes('w')) continue; // the bytes of a program or library, as they are on disk
        const end = Number.parseInt(to, 16);
        for (let at = Number.parseInt(from, 16); at < end; at += chunk.length - OVERLAP) this.look(`memory ${pid}`, read(memory, chunk, at, Math.min(chunk.length, end - at)));
      }
    } finally {
      closeSync(memory);
    }
    return true;
  }

  seen(value: string): readonly Sighting[] {
    return this.sightings.filter((each) => each.value === value);
  }
}

/** What lies across two pieces is found in one of them. */
const OVERLAP = 4096;

function read(file: number, chunk: Buffer, at: number, length: number): Buffer {
  try {
    return chunk.subarray(0, readSync(file, chunk, 0, length, at));
  } catch {
    return Buffer.alloc(0); // a page that is reserved and not there
  }
}

/** Every process below this one. */
export function descendantsOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = parentOf(Number(name));
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const below = (each: number): number[] => (children.get(each) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1]);
  } catch {
    return undefined; // it has ended meanwhile
  }
}

/** Whether /proc of other users' processes may be read here. */
export const mayReadMemory = () => process.platform === 'linux' && process.getuid?.() === 0 && statSync('/proc/self/mem').isFile();
