// Attacks on an exported audit log: every change of a byte, every deletion, swap and cut is seen and located; what the holder of the key does is seen against a remembered head.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AuditFault, AuditVerdict } from '../../schemas/audit.ts';
import { generateKey } from '../../host/trust/keys.ts';
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
      const script = await ranScript(bytes, JSON.stringify(headAt(size)));
      expect({ code: script.code, faults: told(script) }).toEqual({ code, faults });
    }
  });

  it('is not believed about a remembered head that nobody signed', async () => {
    const forged = { ...exported.headAt(100), root: exported.headAt(256).root };
    expect(told(await judged(exported.bytes, exported.key, { remembered: forged }))).toEqual(['head', 'rewritten entries 0-99']);
  });
});

describe('the script for those without Gatehouse', () => {
  it('finds a real export right, stays under 150 lines, and imports nothing but Node', async () => {
    const script = await ranScript(exported.bytes);
    expect(script).toMatchObject({ code: 0, ok: true, entries: ENTRIES, root: exported.headAt(ENTRIES).root, faults: [] });
    const text = await readFile(SCRIPT, 'utf8');
    expect(text.split('\n').length).toBeLessThan(150);
    expect([...text.matchAll(/from '([^']+)'/g)].map(([, name]) => name)).toEqual(['node:crypto', 'node:fs']);
  });
});

const SCRIPT = resolve(import.meta.dirname, '../../docs/verify-audit.mjs');
const generateKeyOnce = generateKey('other');

async function ranScript(bytes: Buffer, head?: string): Promise<Pick<AuditVerdict, 'ok' | 'entries' | 'root' | 'faults'> & { readonly code: number }> {
  await using dir = await tempDir();
  const write = async (name: string, content: string | Buffer) => {
    await writeFile(join(dir.path, name), content);
    return join(dir.path, name);
  };
  const file = await write('export.jsonl', bytes);
  const key = await write('log.json', JSON.stringify({ keys: [{ keyid: exported.key.keyid, publicKey: exported.key.publicKey.toString('base64'), since: '2026-01-15T00:00:00.000Z' }] }));
  const args = [SCRIPT, file, '--json', '--key', key, ...(head === undefined ? [] : ['--head', await write('head.json', head)])];
  const { promise, resolve: done } = Promise.withResolvers<{ readonly code: number; readonly stdout: string; readonly stderr: string }>();
  execFile(process.execPath, args, (error, stdout, stderr) => done({ code: error ? Number(error.code) : 0, stdout, stderr }));
  const { code, stdout, stderr } = await promise;
  if (stdout === '') throw new Error(`the script said nothing but: ${stderr}`);
  return { code, ...(JSON.parse(stdout) as Pick<AuditVerdict, 'ok' | 'entries' | 'root' | 'faults'>) };
}
