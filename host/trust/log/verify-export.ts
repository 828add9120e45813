// The verdict on an export: whether it is the log that was signed, and where not. `audit verify` calls it, on files and on what a running host sends; docs/verify-audit.mjs is its double.
import { Type, type TObject } from 'typebox';
import { AuditEntry, BLOCK_ENTRIES, ExportCheckpoint, ExportEnd, ExportHeader, type AuditFault, type AuditHead, type AuditVerdict, type TreeHead } from '../../../schemas/audit.ts';
import { problemOf } from '../../errors.ts';
import { compileSchema } from '../../schema.ts';
import { readPublicKey } from '../keys.ts';
import { faultsOf, type EntryLine } from './block-faults.ts';
import { linesOf, type Line } from './lines.ts';
import { Frontier, leafHash } from './merkle.ts';
import { isCheckpointGenuine, isHeadGenuine } from './tree-head.ts';

/** What a verdict rests on. */
export interface Anchor {
  /** `key`: a file that was named; `home`: the home's log.json; `none`: nothing but what the export says of itself. */
  readonly kind: 'key' | 'home' | 'none';
  /** Which file, for people. */
  readonly source: string;
  /** Raw keys by id; none for `none`. */
  readonly keys: ReadonlyMap<string, Buffer>;
}

export interface VerifyOptions {
  readonly anchor: Anchor;
  /** A head that was remembered earlier, and elsewhere. */
  readonly remembered?: AuditHead | TreeHead;
}

const LINE_BYTES = 64 * 1024;
/** Lines that may wait for a checkpoint: what nobody signed must not fill the memory. */
const MOST_WAITING = 16 * BLOCK_ENTRIES;
const MOST_FAULTS = 1000;

/** Reads to the end, holding one block at a time. Never throws for what is in the export. */
export async function verifyExport(chunks: AsyncIterable<Uint8Array>, options: VerifyOptions): Promise<AuditVerdict> {
  const check = new ExportCheck(options);
  for await (const line of linesOf(chunks, LINE_BYTES)) if (!check.take(line)) break;
  return check.verdict();
}

interface WaitingLine extends EntryLine {
  readonly bytes: Buffer;
}

class ExportCheck {
  readonly #anchor: Anchor;
  readonly #remembered: VerifyOptions['remembered'];
  readonly #faults: AuditFault[] = [];
  #key: { readonly keyid: string; readonly raw: Buffer } | undefined;
  #frontier = new Frontier();
  /** Lines since the last checkpoint. */
  #waiting: WaitingLine[] = [];
  #head: TreeHead | undefined;
  /** From here on nothing can be judged. */
  #isLost = false;
  #rememberedRoot: string | undefined;

  constructor({ anchor, remembered }: VerifyOptions) {
    this.#anchor = anchor;
    this.#remembered = remembered;
    if (remembered?.size === 0) this.#rememberedRoot = this.#frontier.root().toString('hex');
  }

  /** False when going on is of no use. */
  take(line: Line): boolean {
    const { number, bytes } = line;
    if (bytes.length > LINE_BYTES) return this.#lose({ kind: 'malformed', line: number, message: `line ${number} is longer than any line of an export` });
    if (!line.isEnded) this.#fault({ kind: 'cut', line: number, message: `the file ends in the middle of line ${number}` });
    if (number === 1) return this.#header(bytes);
    if (this.#head) this.#fault({ kind: 'inserted', line: number, message: `line ${number} comes after the tree head` });
    else if (bytes.indexOf('{"checkpoint":') === 0) this.#checkpoint(number, bytes);
    else if (bytes.indexOf('{"head":') === 0) this.#end(number, bytes);
    else this.#waiting.push({ number, bytes, leaf: leafHash(bytes).toString('hex') });
    if (this.#waiting.length > MOST_WAITING) return this.#lose({ kind: 'checkpoint', line: number, message: `there is no good checkpoint between line ${this.#waiting[0]?.number} and line ${number}` });
    return !this.#isLost && this.#faults.length < MOST_FAULTS;
  }

  verdict(): AuditVerdict {
    const { size } = this.#frontier;
    if (!this.#head && !this.#isLost && this.#faults.length < MOST_FAULTS) this.#fault({ kind: 'cut', from: size, to: size, message: `the export ends without a tree head; what is confirmed are the ${size} entries before the last checkpoint` });
    if (this.#head) this.#compareRemembered();
    const { kind, source } = this.#anchor;
    return {
      ok: this.#faults.length === 0,
      entries: size,
      root: size > 0 || this.#head ? this.#frontier.root().toString('hex') : null,
      anchor: { kind, keyid: this.#key?.keyid ?? null, source },
      remembered: this.#remembered ? { size: this.#remembered.size, root: this.#remembered.root, at: this.#remembered.at } : null,
      faults: this.#faults,
      notes: notesOf(this.#anchor, this.#remembered !== undefined),
    };
  }

  // ---- Lines

  #header(bytes: Buffer): boolean {
    const header = exactly(bytes, ExportHeader);
    const [only] = this.#anchor.keys.size === 1 ? this.#anchor.keys : [];
    if (!header) {
      this.#fault({ kind: 'header', line: 1, message: 'line 1 is not the header of an export' });
      if (!only) return this.#lose();
      this.#key = { keyid: only[0], raw: only[1] };
      return true;
    }
    const { keyid, publicKey } = header;
    try {
      this.#key = { keyid, raw: readPublicKey(publicKey, keyid) };
    } catch (thrown) {
      this.#fault({ kind: 'header', line: 1, message: `the key in the header is none: ${problemOf(thrown)}` });
      if (!only) return this.#lose();
      this.#key = { keyid: only[0], raw: only[1] };
      return true;
    }
    if (this.#anchor.kind !== 'none' && !this.#anchor.keys.has(keyid)) this.#fault({ kind: 'header', line: 1, message: `the export is signed by ${keyid}, which ${this.#anchor.source} does not name` });
    return true;
  }

  #checkpoint(number: number, bytes: Buffer): void {
    const parsed = exactly(bytes, ExportCheckpoint)?.checkpoint;
    if (!parsed || !this.#key || !isCheckpointGenuine({ keyid: this.#key.keyid, ...parsed }, this.#key.raw)) {
      this.#fault({ kind: 'checkpoint', line: number, message: `line ${number} is not a checkpoint as it was signed` });
      return;
    }
    this.#confirm(number, parsed.size, parsed.root, parsed.leaves);
  }

  #end(number: number, bytes: Buffer): void {
    const head = exactly(bytes, ExportEnd)?.head;
    if (!head || !this.#key || head.keyid !== this.#key.keyid || !isHeadGenuine(head, this.#key.raw)) {
      this.#fault({ kind: 'head', line: number, message: `line ${number} is not a tree head as it was signed` });
      return;
    }
    if (head.size > this.#frontier.size || this.#waiting.length > 0) this.#confirm(number, head.size, head.root, []);
    if (this.#isLost) return;
    this.#head = head;
    if (head.size !== this.#frontier.size || head.root !== this.#frontier.root().toString('hex')) this.#fault({ kind: 'rewritten', line: number, message: `the tree head is that of another log: it names ${head.size} entries, and ${this.#frontier.size} are here` });
  }

  // ---- Blocks

  /** The signed root says which entries there are, if the listed leaves lead to it: then each line can be held against its leaf. Lines before the list, whose checkpoint is gone, stand for themselves. */
  #confirm(number: number, size: number, root: string, listed: readonly string[]): void {
    const unlisted = size - this.#frontier.size - listed.length;
    if (unlisted < 0) {
      this.#fault({ kind: 'checkpoint', line: number, message: `line ${number} is a checkpoint that belongs elsewhere` });
      return;
    }
    const lines = this.#waiting;
    const leaves = [...lines.slice(0, unlisted).map(({ leaf }) => leaf), ...listed];
    const own = lines.map(({ leaf }) => leaf);
    const grown = this.#grown(leaves);
    if (isTree(grown, size, root)) {
      if (unlisted > 0) this.#fault({ kind: 'checkpoint', line: number, message: `a checkpoint is missing before line ${number}` });
      for (const fault of faultsOf(lines, leaves, this.#frontier.size)) this.#fault(fault);
      this.#accept(leaves, grown);
      return;
    }
    const alone = this.#grown(own);
    if (!isTree(alone, size, root)) {
      this.#lose(this.#guess(size));
      return;
    }
    this.#fault({ kind: 'checkpoint', line: number, message: `the leaves that line ${number} lists were changed; the entries before it are right` });
    this.#accept(own, alone);
  }

  #grown(leaves: readonly string[]): Frontier {
    return leaves.reduce((frontier, leaf) => frontier.append(Buffer.from(leaf, 'hex')), this.#frontier);
  }

  #accept(leaves: readonly string[], grown: Frontier): void {
    this.#judgeEntries(this.#waiting, leaves);
    const rememberedAt = this.#remembered?.size ?? -1;
    if (rememberedAt >= this.#frontier.size && rememberedAt <= grown.size) this.#rememberedRoot = this.#grown(leaves.slice(0, rememberedAt - this.#frontier.size)).root().toString('hex');
    this.#frontier = grown;
    this.#waiting = [];
  }

  /** Signed, and yet no entry: only the holder of the key can have done that. */
  #judgeEntries(lines: readonly WaitingLine[], leaves: readonly string[]): void {
    const places = new Map(leaves.map((leaf, at) => [leaf, this.#frontier.size + at]));
    for (const { number, bytes, leaf } of lines) {
      const index = places.get(leaf);
      if (index === undefined || exactly(bytes, AuditEntry)?.index === index) continue;
      this.#fault({ kind: 'malformed', line: number, from: index, to: index, message: `line ${number} was signed as entry ${index}, and is none` });
    }
  }

  /** Entries and the list that would say which are both wrong: what the lines say of themselves is all there is. */
  #guess(size: number): AuditFault {
    const first = this.#frontier.size;
    for (const [at, { number, bytes }] of this.#waiting.entries()) {
      const index = exactly(bytes, AuditEntry)?.index;
      if (index === undefined || index === first + at) continue;
      if (index > first + at) return { kind: 'missing', line: number, from: first + at, to: index - 1, message: `entries ${first + at} to ${index - 1} are missing before line ${number}` };
      return { kind: 'moved', line: number, from: index, to: index, message: `line ${number} says that it is entry ${index}, and entry ${first + at} belongs there` };
    }
    return { kind: 'unconfirmed', from: first, to: size - 1, message: `entries ${first} to ${size - 1} are not what was signed, and neither is the list that would say which` };
  }

  #compareRemembered(): void {
    const remembered = this.#remembered;
    if (!remembered || !this.#head) return;
    const key = this.#anchor.keys.get(remembered.keyid) ?? (this.#key?.keyid === remembered.keyid ? this.#key.raw : undefined);
    if (key && !isHeadGenuine(remembered, key)) this.#fault({ kind: 'head', message: 'the remembered head is not signed by the key that it names' });
    if (remembered.size > this.#frontier.size) this.#fault({ kind: 'truncated', from: this.#frontier.size, to: remembered.size - 1, message: `the log had ${remembered.size} entries at ${remembered.at}, and has ${this.#frontier.size} now` });
    else if (this.#rememberedRoot !== remembered.root) this.#fault({ kind: 'rewritten', from: 0, to: Math.max(0, remembered.size - 1), message: `the first ${remembered.size} entries are not those of ${remembered.at}` });
  }

  #fault(fault: AuditFault): void {
    this.#faults.push(fault);
  }

  #lose(fault?: AuditFault): false {
    if (fault) this.#fault(fault);
    this.#isLost = true;
    return false;
  }
}

export function notesOf({ kind, source }: Anchor, isRemembered: boolean): string[] {
  return [
    kind === 'none' ? 'Consistency only: no key was named, so this does not say whose log it is.' : `It rests on the log key in ${source}.`,
    ...(isRemembered ? [] : ['No remembered head was given (--head): that entries at the end are missing, that this is an older export, or that the holder of the key wrote another log cannot be seen.']),
  ];
}

const isTree = (frontier: Frontier, size: number, root: string) => frontier.size === size && frontier.root().toString('hex') === root;

/** The value of a line that is, byte for byte, how the host writes it; no second spelling passes, nor another order of its keys. */
function exactly<S extends TObject>(bytes: Buffer, schema: S) {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (!compileSchema(schema).is(value)) return undefined;
    return Buffer.from(JSON.stringify(inOrder(schema, value))).equals(bytes) ? value : undefined;
  } catch {
    return undefined; // no JSON
  }
}

/** With its keys as the schema orders them, which is how the host writes it: `JSON.parse` keeps whatever order a file has. A record's keys stay as they are. */
function inOrder(schema: TObject, value: object): object {
  return Object.fromEntries(Object.entries(schema.properties).map(([name, member]) => {
    const inner: unknown = Reflect.get(value, name);
    return [name, Type.IsObject(member) && inner instanceof Object ? inOrder(member, inner) : inner];
  }));
}
