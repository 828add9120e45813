// Package archives, whatever they hold: bounded, never more than plain files, and read as another reader of tar reads them.
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { Parser } from 'tar';
import { describe, expect, it } from 'vitest';
import { nameProblem } from '../../host/trust/package-names.ts';
import { ArchiveProblem, readArchive, writeArchive } from '../../host/trust/tar.ts';
import { paxRecord, rawArchive, rawTar } from '../support/archives.ts';
import { fuzzDoor } from '../support/fuzz.ts';
import { archives } from './arbitraries/archives.ts';

const door = fuzzDoor('archive');
/** Of zeros, in sixteen thousand bytes. */
const SIXTEEN_MEGABYTES = gzipSync(Buffer.alloc(16 * 1024 * 1024));
const LIMITS = { bytes: 64 * 1024, entries: 8 };

/** Owners, modes and times mean nothing here and are not read; the other reader leaves out an entry whose owner is no number. */
const UNREAD_NUMBER = /parsed number outside of javascript safe integer range|invalid base256 encoding/;

/** What was read, or why not; anything else thrown fails the test. */
async function read(bytes: Buffer): Promise<Map<string, string> | ArchiveProblem> {
  try {
    const files = await readArchive(bytes, LIMITS);
    expect(files.length).toBeLessThanOrEqual(LIMITS.entries);
    expect(files.reduce((sum, { content }) => sum + content.length, 0)).toBeLessThanOrEqual(LIMITS.bytes);
    return new Map(files.map(({ name, content }) => [name, content.toString('latin1')]));
  } catch (thrown) {
    if (thrown instanceof ArchiveProblem) return thrown;
    throw thrown;
  }
}

/** The regular files as the `tar` package sees them, and whatever else it sees or warns of. */
function second(bytes: Buffer): Promise<{ readonly files: Map<string, string>; readonly others: readonly string[] }> {
  return new Promise((resolve, reject) => {
    const files = new Map<string, string>();
    const others: string[] = [];
    const parser = new Parser({
      onReadEntry: (entry) => {
        const chunks: Buffer[] = [];
        entry.on('data', (chunk: Buffer) => chunks.push(chunk));
        if (entry.type === 'File' || entry.type === 'OldFile') entry.on('end', () => files.set(entry.path.replace(/^\.\//, ''), Buffer.concat(chunks).toString('latin1')));
        else if (entry.type !== 'Directory') others.push(`${entry.type} ${entry.path}`);
        entry.resume();
      },
      onwarn: (code, message) => others.push(`${code} ${message}`),
    });
    parser.on('end', () => resolve({ files, others }));
    parser.on('abort', reject);
    parser.on('error', reject);
    parser.end(bytes);
  });
}

describe('archives, whatever they hold', () => {
  it('are refused by name, or hold what another reader finds in them', () => door.holds({ runs: 1500, given: archives }, async (bytes) => {
    const outcome = await read(bytes);
    if (outcome instanceof ArchiveProblem || outcome.size === 0 || ![...outcome.keys()].every((name) => nameProblem(name) === undefined)) return;
    const { files, others } = await second(bytes);
    if (others.some((each) => UNREAD_NUMBER.test(each))) return;
    expect([Object.fromEntries(files), others]).toEqual([Object.fromEntries(outcome), []]);
  }));

  it('are accepted often enough for the property above to mean something', async () => {
    const sample = fc.sample(archives, { numRuns: 400, seed: 3 });
    const outcomes = await Promise.all(sample.map(read));
    expect(outcomes.filter((each) => !(each instanceof ArchiveProblem) && each.size > 0).length).toBeGreaterThan(80);
    door.tried(sample.length);
  });

  it('come back as they were written', () => {
    const files = fc.dictionary(fc.stringMatching(/^assets\/[a-z0-9]{1,60}(\/[a-z0-9]{1,60}){0,2}$/), fc.uint8Array({ maxLength: 1200 }), { maxKeys: 6, noNullPrototype: true });
    return door.holds({ runs: 200, given: files }, async (given) => {
      const outcome = await read(writeArchive(new Map(Object.entries(given))));
      expect(Object.fromEntries(outcome as Map<string, string>)).toEqual(Object.fromEntries(Object.entries(given).map(([name, content]) => [name, Buffer.from(content).toString('latin1')])));
    });
  });

  it.each<[string, () => Buffer]>([
    ['zeros that unpack to a gigabyte', () => Buffer.concat(Array.from({ length: 64 }, () => SIXTEEN_MEGABYTES))],
    ['a gzip of a gzip of zeros', () => gzipSync(SIXTEEN_MEGABYTES)],
    ['an extended header of a million records', () => rawArchive([{ path: 'PaxHeader', type: 'ExtendedHeader', content: '5 a=\n'.repeat(1_000_000) }, { path: 'plugin.js' }])],
    ['an extended header that is one long word', () => rawArchive([{ path: 'PaxHeader', type: 'ExtendedHeader', content: '1'.repeat(4_000_000) }, { path: 'plugin.js' }])],
    ['nothing but headers', () => gzipSync(rawTar(Array.from({ length: 20_000 }, () => ({ path: 'assets/', type: 'Directory' as const }))))],
    ['a file that says it is larger than all there is', () => rawArchive([{ path: 'plugin.js', size: 8 ** 11 - 1 }])],
  ])('cost a bounded effort: %s', async (_, make) => {
    const bytes = make();
    const before = process.memoryUsage().arrayBuffers;
    const startedAt = process.cpuUsage();
    const outcome = await readArchive(bytes, { bytes: 20 * 1024 * 1024, entries: 4000 }).catch((problem: unknown) => problem);
    const { user } = process.cpuUsage(startedAt);
    expect(outcome).toBeInstanceOf(ArchiveProblem);
    expect(user / 1000).toBeLessThan(2000);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
  });

  it('name their extended headers within a bound', async () => {
    const withComment = (size: number) => readArchive(rawArchive([{ path: 'PaxHeader', type: 'ExtendedHeader', content: paxRecord('comment', 'x'.repeat(size)) }, { path: 'plugin.js' }]), { bytes: 1_000_000, entries: 8 });
    await expect(withComment(60_000)).resolves.toHaveLength(1);
    await expect(withComment(70_000)).rejects.toThrow('an extended header has more than 65536 bytes');
  });
});
