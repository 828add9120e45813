// Attacks on an exported audit log: every change of a byte, every deletion, swap and cut is seen and located; what the holder of the key does is seen against a remembered head.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AuditFault, AuditVerdict } from '../../schemas/audit.ts';
import { generateKey, keyIdOf } from '../../host/trust/keys.ts';
import { Frontier, leafHash } from '../../host/trust/log/merkle.ts';
import { signCheckpoint, signHead } from '../../host/trust/log/tree-head.ts';
import { anExport, asBytes, judged, linesIn, type TestExport } from '../support/audit-export.ts';
import { tempDir } from '../support/temp.ts';

/** Two whole blocks and a part of a third. */
const ENTRIES = 600;
let exported: TestExport;
let lines: readonly string[];
beforeAll(async () => {
  exported = await anExport(ENTRIES, [100, 256, 450]);
  lines = linesIn(exported.bytes);
});

const isEntry = (line: string | undefined) => line?.startsWith('{"index":') ?? false;
const indexOf = (line: string | undefined): number => Number(/^\{"index":(\d+)/.exec(line ?? '')?.[1] ?? -1);
const lineOf = (index: number) => lines.findIndex((line) => indexOf(line) === index);
const told = ({ faults }: Pick<AuditVerdict, 'faults'>) => faults.map(({ kind, line, from, to }) => [kind, ...(line === undefined ? [] : [`line ${line}`]), ...(from === undefined ? [] : [from === to ? `entry ${from}` : `entries ${from}-${to}`])].join(' '));

/** Whether a fault names one of these lines, or an entry that stands in them. */
function names(faults: readonly AuditFault[], numbers: readonly number[]): boolean {
  const indexes = numbers.map((number) => indexOf(lines[number - 1])).filter((index) => index >= 0);
  return faults.some(({ line, from, to }) => (line !== undefined && numbers.includes(line)) || (from !== undefined && to !== undefined && indexes.some((index) => index >= from && index <= to)));
}

describe('an export as it was made', () => {
  it('is right, and its verdict says what it rests on and what it cannot say', async () => {
    const verdict = await judged(exported.bytes, exported.key);
    expect(verdict).toMatchObject({ ok: true, entries: ENTRIES, faults: [], anchor: { kind: 'key', keyid: exported.key.keyid } });
    expect(verdict.notes.join(' ')).toMatch(/rests on the log key in log\.json.*No remembered head/s);
    const alone = await judged(exported.bytes, exported.key, { anchor: { kind: 'none', source: 'the export itself', keys: new Map() } });
    expect(alone).toMatchObject({ ok: true, anchor: { kind: 'none', keyid: exported.key.keyid } });
    expect(alone.notes[0]).toMatch(/Consistency only/);
  });

  it.each([1, 2, 255, 256, 257, 512])('is right with %i entries', async (entries) => {
    const other = await anExport(entries);
    expect(await judged(other.bytes, other.key)).toMatchObject({ ok: true, entries });
  });

  it('of another host is refused by its key, and is consistent in itself', async () => {
    const other = await anExport(3);
    expect(told(await judged(other.bytes, exported.key))).toEqual(['header line 1']);
    expect((await judged(other.bytes, generateKey('x'), { anchor: { kind: 'none', source: '', keys: new Map() } })).ok).toBe(true);
  });
});

describe('somebody without the key', () => {
  it('cannot change a single byte anywhere: it is seen, and where', async () => {
    await fc.assert(
      fc.asyncProperty(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.integer({ min: 1, max: 255 }), async (where, difference) => {
        const at = Math.floor(where * exported.bytes.length);
        const bytes = Buffer.from(exported.bytes);
        bytes[at] = (bytes[at] ?? 0) ^ difference;
        const number = exported.bytes.subarray(0, at).filter((byte) => byte === 10).length + 1;
        const verdict = await judged(bytes, exported.key);
        expect(verdict.ok).toBe(false);
        // A line feed that is gone makes one line of two, and belongs to both.
        expect(names(verdict.faults, exported.bytes[at] === 10 ? [number, number + 1] : [number])).toBe(true);
      }),
      { numRuns: 120, examples: [[0, 1], [0.5, 10], [0.999999, 1]] },
    );
  });

  it('cannot remove a line: it is seen, and which', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(lines.length - 1), async (at) => {
        const verdict = await judged(asBytes(lines.filter((_, place) => place !== at)), exported.key);
        expect(verdict.ok).toBe(false);
        // A checkpoint that is gone is missed at the next one, and the head at the end.
        const missedAt = lines.findIndex((line, place) => place > at && !isEntry(line));
        expect(names(verdict.faults, [at + 1, missedAt]) || told(verdict).some((fault) => fault.startsWith('cut'))).toBe(true);
      }),
      { numRuns: 40, examples: [[0], [1], [lines.length - 1]] },
    );
  });

  it('cannot swap two lines: it is seen, and which', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(lines.length - 1), fc.nat(lines.length - 1), async (one, other) => {
        fc.pre(one !== other);
        const verdict = await judged(asBytes(lines.map((line, at) => lines[at === one ? other : at === other ? one : at] ?? line)), exported.key);
        expect(verdict.ok).toBe(false);
        expect(names(verdict.faults, [one + 1, other + 1])).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it.each([
    { what: 'an edited entry', change: () => lines.map((line, at) => (at === lineOf(17) ? line.replace('plugin.quarantine', 'plugin.approve') : line)), faults: ['edited line 19 entry 17'] },
    { what: 'an entry left out', change: () => lines.filter((_, at) => at !== lineOf(300)), faults: ['missing entry 300'] },
    { what: 'entries left out at the end of a block', change: () => lines.filter((_, at) => at < lineOf(250) || at > lineOf(255)), faults: ['missing entries 250-255'] },
    { what: 'an entry left out, and the others numbered anew', change: () => lines.filter((_, at) => at !== lineOf(590)).map((line) => (indexOf(line) > 590 ? line.replace(/^\{"index":\d+/, `{"index":${indexOf(line) - 1}`) : line)), faults: [...[590, 591, 592, 593, 594, 595, 596, 597, 598].map((index) => `edited line ${index + 4} entry ${index}`), 'missing entry 599'] },
    { what: 'two entries swapped', change: () => lines.map((line, at) => lines[at === lineOf(40) ? lineOf(41) : at === lineOf(41) ? lineOf(40) : at] ?? line), faults: ['moved line 42 entry 41'] },
    { what: 'the last entry of a block first', change: () => [...lines.slice(0, 1), lines[lineOf(255)] ?? '', ...lines.slice(1, lineOf(255)), ...lines.slice(lineOf(256) - 1)], faults: ['moved line 2 entry 255'] },
    { what: 'an entry made up', change: () => lines.toSpliced(lineOf(9), 0, (lines[lineOf(9)] ?? '').replace('"reason":"because of 9', '"reason":"made up')), faults: ['inserted line 11'] },
    { what: 'an entry twice', change: () => lines.toSpliced(lineOf(9), 0, lines[lineOf(8)] ?? ''), faults: ['inserted line 11'] },
    { what: 'a block left out with its checkpoint', change: () => lines.filter((_, at) => at < lineOf(256) || at >= lineOf(512)), faults: ['missing line 259 entries 256-511'] },
    { what: 'a checkpoint left out', change: () => lines.filter((_, at) => at !== lineOf(256) - 1), faults: ['checkpoint line 514'] },
    { what: 'an entry and the list of its block changed together', change: () => lines.map((line, at) => (at === lineOf(17) ? line.replace('quarantine', 'approve') : at === lineOf(256) - 1 ? line.replace(/"leaves":\["[0-9a-f]{8}/, '"leaves":["00000000') : line)), faults: ['unconfirmed entries 0-255'] },
    { what: 'a leaf of a list changed', change: () => lines.map((line, at) => (at === lineOf(256) - 1 ? line.replace(/"leaves":\["[0-9a-f]{8}/, '"leaves":["00000000') : line)), faults: ['checkpoint line 258'] },
    { what: 'the end cut off', change: () => lines.slice(0, lineOf(300)), faults: ['cut entry 256'] },
    { what: 'the end cut off after a checkpoint', change: () => lines.slice(0, lineOf(256)), faults: ['cut entry 256'] },
    { what: 'the tree head of the whole after a part', change: () => [...lines.slice(0, lineOf(256)), lines.at(-1) ?? ''], faults: ['unconfirmed entries 256-599'] },
    { what: 'lines behind the end', change: () => [...lines, lines[1] ?? ''], faults: ['inserted line 606'] },
    { what: 'another key in the header', change: () => [JSON.stringify({ format: 'gatehouse-audit/1', keyid: generateKeyOnce.keyid, publicKey: generateKeyOnce.publicKey.toString('base64') }), ...lines.slice(1)], faults: ['header line 1', 'checkpoint line 258', 'checkpoint line 515', 'checkpoint line 604', 'head line 605', 'cut entry 0'] },
    { what: 'spaces that change no meaning', change: () => lines.map((line, at) => (at === lines.length - 1 ? line.replace('"size":', '"size": ') : line)), faults: ['head line 605', 'cut entry 600'] },
  ])('is seen with $what, by the host and by the script alike', async ({ change, faults }) => {
    const bytes = asBytes(change());
    const verdict = await judged(bytes, exported.key);
    expect(verdict.ok).toBe(false);
    expect(told(verdict)).toEqual(faults);
    const script = await ranScript(bytes);
    expect(script.code).toBe(3);
    expect(told(script)).toEqual(faults);
    expect(script.entries).toBe(verdict.entries);
  });
});

describe('the holder of the key', () => {
  it('cannot cut or rewrite the log in front of somebody who remembers a head', async () => {
    const { key, headAt } = exported;
    for (const size of [100, 256, 450, ENTRIES]) expect(await judged(exported.bytes, key, { remembered: headAt(size) })).toMatchObject({ ok: true, remembered: { size } });

    const cut = await exported.rewritten((resource) => resource, 400);
    expect((await judged(cut, key)).ok).toBe(true);
    expect(told(await judged(cut, key, { remembered: headAt(450) }))).toEqual(['truncated entries 400-449']);

    const other = await exported.rewritten((resource, index) => (index === 99 ? 'innocent' : resource));
    expect(await judged(other, key)).toMatchObject({ ok: true, notes: [expect.anything(), expect.stringContaining('cannot be seen')] });
    expect(told(await judged(other, key, { remembered: headAt(100) }))).toEqual(['rewritten entries 0-99']);
    expect((await judged(await exported.rewritten((resource, index) => (index === 100 ? 'later' : resource)), key, { remembered: headAt(100) })).ok).toBe(true);

    for (const [bytes, size, code, faults] of [[exported.bytes, 256, 0, []], [cut, 450, 3, ['truncated entries 400-449']], [other, 100, 3, ['rewritten entries 0-99']]] as const) {
      const script = await ranScript(bytes, { head: JSON.stringify(headAt(size)) });
      expect({ code: script.code, faults: told(script) }).toEqual({ code, faults });
    }
  });

  it('is not believed about a remembered head that nobody signed', async () => {
    const forged = { ...exported.headAt(100), root: exported.headAt(256).root };
    expect(told(await judged(exported.bytes, exported.key, { remembered: forged }))).toEqual(['head', 'rewritten entries 0-99']);
  });
});

/** Edits that keep every line well-formed: what a forger would try who has read both verifiers. */
const EDITS: Readonly<Record<string, (line: string, other: string) => readonly string[]>> = {
  'keys in another order': (line) => [JSON.stringify(turned(JSON.parse(line)))],
  'the outer keys in another order': (line) => [JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(line) as object).reverse()))],
  'a key twice': (line) => [line.replace(/"(size|index|keyid)":([^,}]+)/, '"$1":$2,"$1":$2')],
  'a number as text': (line) => [line.replace(/"(size|index)":(\d+)/, '"$1":"$2"')],
  'a text in a list': (line) => [line.replace(/"(at|root|keyid)":("[^"]+")/, '"$1":[$2]')],
  'a member more': (line) => [line.replace(/\}$/, ',"more":1}')],
  'a copy with an empty list': (line) => [line, line.replace(/"leaves":\[[^\]]*\]/, '"leaves":[]')],
  'a copy with an empty list, before it': (line) => [line.replace(/"leaves":\[[^\]]*\]/, '"leaves":[]'), line],
  'a list of something else': (line) => [line.replace(/"leaves":\["[0-9a-f]{64}"/, '"leaves":[7')],
  'a list without its first': (line) => [line.replace(/"leaves":\["[0-9a-f]{64}",?/, '"leaves":[')],
  'a list in capital letters': (line) => [line.replace(/"leaves":\[.*?\]/, (list) => list.toUpperCase().replace('LEAVES', 'leaves'))],
  'twice': (line) => [line, line],
  'gone': () => [],
  'another line in its place': (_, other) => [other],
  'another line before it': (line, other) => [other, line],
  'nothing but braces': () => ['{}'],
  'null': () => ['null'],
  'a line without end': (line) => [`${line}${' '.repeat(64 * 1024)}`],
};
const turned = (value: unknown): unknown => (value instanceof Object && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).reverse().map(([name, each]) => [name, turned(each)])) : value);

describe('the host and the script', () => {
  it('are of one mind about what is edited in form alone, wherever it is', async () => {
    const marks = lines.flatMap((line, at) => (isEntry(line) ? [] : [at]));
    const [header = 0, checkpoint = 0] = marks;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...Object.keys(EDITS)), fc.oneof(fc.constantFrom(...marks), fc.nat(lines.length - 1)), fc.nat(lines.length - 1), async (what, at, other) => {
        const bytes = asBytes(lines.flatMap((line, place) => (place === at ? (EDITS[what]?.(line, lines[other] ?? '') ?? []) : [line])));
        const verdict = await judged(bytes, exported.key);
        const script = await ranScript(bytes);
        expect({ ok: script.ok, code: script.code, faults: told(script) }).toEqual({ ok: verdict.ok, code: verdict.ok ? 0 : 3, faults: told(verdict) });
        expect(verdict.ok).toBe(bytes.equals(exported.bytes));
      }),
      {
        numRuns: 36,
        examples: [['the outer keys in another order', header, 0], ['keys in another order', checkpoint, 0], ['keys in another order', lines.length - 1, 0], ['a copy with an empty list', checkpoint, 0], ['a list of something else', checkpoint, 0], ['a text in a list', lines.length - 1, 0], ['a line without end', 7, 0], ['null', header, 0]],
      },
    );
  });

  it('refuse what its key signed as an entry and is none', async () => {
    for (const entry of [{ index: 0, note: 'no entry' }, { ...(JSON.parse(lines[1] ?? '') as object), index: 7 }]) {
      const bytes = signedAround(JSON.stringify(entry));
      const verdict = await judged(bytes, exported.key);
      const script = await ranScript(bytes);
      expect(told(verdict)).toEqual(['malformed line 2 entry 0']);
      expect({ code: script.code, faults: told(script) }).toEqual({ code: 3, faults: told(verdict) });
    }
  });

  it('refuse a key of low order, under which everybody can sign, and a key that is none', async () => {
    for (const publicKey of ['0100000000000000000000000000000000000000000000000000000000000000', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa', 'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', '00ff']) {
      const raw = Buffer.from(publicKey, 'hex');
      const bytes = asBytes([JSON.stringify({ format: 'gatehouse-audit/1', keyid: keyIdOf(raw), publicKey: raw.toString('base64') }), ...lines.slice(1)]);
      const anchor = { kind: 'none', source: 'the export itself', keys: new Map<string, Buffer>() } as const;
      expect(told(await judged(bytes, exported.key, { anchor }))).toEqual(['header line 1']);
      const script = await ranScript(bytes, { withKey: false });
      expect({ code: script.code, faults: told(script) }).toEqual({ code: 3, faults: ['header line 1'] });
    }
  });
});

/** An export of this one line, signed by the key of the log. */
function signedAround(line: string): Buffer {
  const { key } = exported;
  const leaf = leafHash(Buffer.from(line));
  const root = new Frontier().append(leaf).root().toString('hex');
  const checkpoint = { size: 1, root, signature: signCheckpoint(key, 1, root), leaves: [leaf.toString('hex')] };
  return asBytes([lines[0] ?? '', line, JSON.stringify({ checkpoint }), JSON.stringify({ head: signHead(key, { size: 1, root, at: '2026-01-15T00:00:00.000Z' }) })]);
}

describe('the script for those without Gatehouse', () => {
  it('finds a real export right, stays under 150 lines, and imports nothing but Node', async () => {
    const script = await ranScript(exported.bytes);
    expect(script).toMatchObject({ code: 0, ok: true, entries: ENTRIES, root: exported.headAt(ENTRIES).root, faults: [] });
    const text = await readFile(SCRIPT, 'utf8');
    expect(text.split('\n').length).toBeLessThan(150);
    expect([...text.matchAll(/from '([^']+)'/g)].map(([, name]) => name)).toEqual(['node:crypto', 'node:fs', 'node:util']);
  });

  it('says what its verdict rests on, and takes a head bare or as an export ends with it', async () => {
    const bare = exported.headAt(450);
    const cut = exported.bytes.subarray(0, exported.bytes.indexOf('{"index":300,'));
    expect(await ranScript(exported.bytes, { head: JSON.stringify(bare) })).toMatchObject({ code: 0, anchor: { kind: 'key', keyid: exported.key.keyid, source: 'log.json' }, remembered: { size: 450, root: bare.root } });
    expect(await ranScript(exported.bytes, { withKey: false })).toMatchObject({ code: 0, anchor: { kind: 'none' }, remembered: null });
    expect((await ranScript(cut, { head: lines.at(-1) ?? '' })).ok).toBe(false);
    const shorter = await exported.rewritten((resource) => resource, 400);
    const script = await ranScript(shorter, { head: lines.at(-1) ?? '' });
    expect({ code: script.code, faults: told(script) }).toEqual({ code: 3, faults: ['truncated entries 400-599'] });
  });

  it('judges nothing that it was not asked rightly', async () => {
    const files = { 'audit.jsonl': exported.bytes, 'log.json': LOG(), 'empty.json': '{}', 'null.json': 'null', 'words.txt': 'no JSON', 'small.json': JSON.stringify({ keys: [{ keyid: exported.key.keyid, publicKey: 'AAAA' }] }), 'half.json': JSON.stringify({ ...exported.headAt(100), root: undefined }) };
    for (const args of [
      [], ['audit.jsonl', 'log.json'], ['audit.jsonl', '--keys', 'log.json'], ['audit.jsonl', '--key'], ['audit.jsonl', '--key='], ['audit.jsonl', '--key', '--json'], ['audit.jsonl', '--head'],
      ['audit.jsonl', '--head', 'empty.json'], ['audit.jsonl', '--head', 'null.json'], ['audit.jsonl', '--head', 'half.json'], ['audit.jsonl', '--head', 'log.json'], ['audit.jsonl', '--head', 'words.txt'], ['audit.jsonl', '--head', 'nowhere.json'],
      ['audit.jsonl', '--key', 'empty.json'], ['audit.jsonl', '--key', 'small.json'], ['audit.jsonl', '--key', 'null.json'], ['nowhere.jsonl'], ['.'],
    ]) {
      const { code, stdout, stderr } = await ranWith(files, args);
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
      expect(stderr).toMatch(/^[^]+\nUsage: node verify-audit\.mjs [^\n]+\n$/);
    }
  });

  it('stops at the first line that nobody could place, however much follows', async () => {
    const endless = Buffer.concat([exported.bytes.subarray(0, exported.bytes.indexOf(10) + 1), Buffer.alloc(48 * 1024 * 1024, 'x')]);
    const script = await ranScript(endless);
    expect({ code: script.code, faults: told(script) }).toEqual({ code: 3, faults: ['malformed line 2'] });
  });
});

const SCRIPT = resolve(import.meta.dirname, '../../docs/verify-audit.mjs');
const generateKeyOnce = generateKey('other');

type ScriptVerdict = Pick<AuditVerdict, 'ok' | 'entries' | 'root' | 'anchor' | 'remembered' | 'faults'>;

async function ranScript(bytes: Buffer, { head, withKey = true }: { readonly head?: string; readonly withKey?: boolean } = {}): Promise<ScriptVerdict & { readonly code: number }> {
  const { code, stdout, stderr } = await ranWith({ 'export.jsonl': bytes, 'log.json': LOG(), ...(head === undefined ? {} : { 'head.json': head }) }, ['export.jsonl', '--json', ...(withKey ? ['--key', 'log.json'] : []), ...(head === undefined ? [] : ['--head', 'head.json'])]);
  if (stdout === '') throw new Error(`the script said nothing but: ${stderr}`);
  return { code, ...(JSON.parse(stdout) as ScriptVerdict) };
}

const LOG = () => JSON.stringify({ keys: [{ keyid: exported.key.keyid, publicKey: exported.key.publicKey.toString('base64'), since: '2026-01-15T00:00:00.000Z' }] });

/** In a folder that holds these files. */
async function ranWith(files: Readonly<Record<string, string | Buffer>>, args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  await using dir = await tempDir();
  for (const [name, content] of Object.entries(files)) await writeFile(join(dir.path, name), content);
  const { promise, resolve: done } = Promise.withResolvers<{ readonly code: number; readonly stdout: string; readonly stderr: string }>();
  execFile(process.execPath, [SCRIPT, ...args], { cwd: dir.path }, (error, stdout, stderr) => done({ code: error ? Number(error.code) : 0, stdout, stderr }));
  return await promise;
}
