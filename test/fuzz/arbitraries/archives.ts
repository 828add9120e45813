// Archives as tar and gzip write them, as other tools do, and as smugglers would.
import { deflateRawSync, gzipSync, crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { paxRecord, rawTar, type RawEntry } from '../../support/archives.ts';
import { damaged } from './bytes.ts';

const NAMES = [
  'plugin.json', 'plugin.js', 'README.md', 'sbom.cdx.json', 'plugin.dsse.json', 'assets/a.txt', 'assets/deep/er/b.js', `assets/${'n'.repeat(120)}`, `assets/${'d'.repeat(60)}/${'e'.repeat(60)}/f`, './plugin.json', './assets/a.txt',
  '../plugin.js', '/plugin.js', 'assets/../plugin.js', 'assets/./a.txt', 'assets//a.txt', 'C:\\plugin.js', 'assets\\a.txt', 'plugin.js/', 'Plugin.js', 'PLUGIN.JS', 'plugin.js.', 'plugin.js ', '.hidden', 'assets/.hidden', 'assets/con', 'assets/nul.txt', 'other.txt', '', '.', '..', './', 'assets', 'assets/', 'assets/é', 'assets/\u202e', 'plugin.js\u0000x', `assets/${'x'.repeat(300)}`,
];
const TYPES = ['File', 'File', 'File', 'File', 'File', 'Directory', 'Link', 'SymbolicLink', 'CharacterDevice', 'FIFO', 'ContiguousFile', 'NextFileHasLongPath'] as const;

/** One record of an extended header: right ones, ones that change the reading, ones that lie about their length. */
const pax = fc.oneof(
  fc.constantFrom(...NAMES).map((name) => paxRecord('path', name)),
  fc.constantFrom(paxRecord('mtime', '1'), paxRecord('size', '3'), paxRecord('linkpath', '/etc/passwd'), paxRecord('GNU.sparse.major', '1'), paxRecord('hdrcharset', 'BINARY'), paxRecord('comment', 'x'), paxRecord('SCHILY.xattr.user', 'x'), paxRecord('PATH', 'plugin.js'), paxRecord('', 'x'), '5 a=\n', '99 path=x\n', '9 path=x\n', '0 path=x\n', '-1 a=b\n', 'path=x\n', '12 path=a\nb\n', ' 10 path=x\n', '010 path=x\n', '11 path=x\r\n', '11\u0000path=xy\n'),
);

const entry: fc.Arbitrary<RawEntry> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ path: fc.constantFrom(...NAMES), type: fc.constantFrom(...TYPES), content: fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom('', 'x'.repeat(512), 'x'.repeat(513))), size: fc.oneof({ weight: 20, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom(0, 1, 511, 1024, 1_000_000_000) }), field: fc.oneof({ weight: 6, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.tuple(fc.nat(511), fc.uint8Array({ minLength: 1, maxLength: 12 })) }), keepChecksum: fc.integer({ min: 0, max: 9 }).map((each) => each === 0) }).map(
      ({ path, type, content, size, field, keepChecksum }): RawEntry => ({ path, type, content, ...(size === undefined ? {} : { size }), ...(type === 'Link' || type === 'SymbolicLink' ? { linkpath: 'plugin.js' } : {}), ...(field === undefined ? {} : { damage: (header: Buffer) => header.set(field[1].subarray(0, 512 - field[0]), field[0]), keepChecksum }) }),
    ),
  },
  { weight: 2, arbitrary: fc.tuple(fc.array(pax, { minLength: 1, maxLength: 3 }), fc.constantFrom('ExtendedHeader' as const, 'ExtendedHeader' as const, 'GlobalExtendedHeader' as const)).map(([records, type]): RawEntry => ({ path: 'PaxHeader', type, content: records.join('') })) },
);

const END = fc.oneof({ weight: 8, arbitrary: fc.constant(1024) }, { weight: 1, arbitrary: fc.constantFrom(0, 512, 1000, 2048, 10_240) });

/** Nothing wrong with it, alone. */
const plain: fc.Arbitrary<RawEntry> = fc.record({ path: fc.constantFrom(...NAMES.slice(0, 11)), content: fc.string({ maxLength: 20 }) });
const mostlyPlain = fc.oneof({ weight: 8, arbitrary: plain }, { weight: 1, arbitrary: fc.constantFrom<RawEntry>({ path: 'assets/', type: 'Directory' }, { path: './', type: 'Directory' }, { path: 'PaxHeader', type: 'ExtendedHeader', content: paxRecord('path', 'assets/by-pax.txt') }, { path: 'PaxHeader', type: 'ExtendedHeader', content: paxRecord('mtime', '1') }) }, { weight: 1, arbitrary: entry });

const tars: fc.Arbitrary<Buffer> = fc.tuple(fc.oneof({ weight: 2, arbitrary: fc.uniqueArray(mostlyPlain, { minLength: 1, maxLength: 5, selector: ({ path }) => path }) }, { weight: 1, arbitrary: fc.uniqueArray(entry, { minLength: 0, maxLength: 5, selector: ({ path }) => path }) }), END, fc.integer({ min: 0, max: 12 })).map(([entries, end, tail]) => Buffer.concat([rawTar(entries, Buffer.alloc(end)), tail === 0 ? rawTar([{ path: 'assets/late', content: 'x' }]) : Buffer.alloc(0)]));

/** The same bytes in the many forms of gzip. */
const gzipped = (tar: Buffer): fc.Arbitrary<Buffer> =>
  fc.oneof(
    { weight: 8, arbitrary: fc.constant(gzipSync(tar)) },
    { weight: 1, arbitrary: fc.constant(gzipSync(tar, { level: 0 })) },
    { weight: 1, arbitrary: fc.nat(tar.length).map((cut) => Buffer.concat([gzipSync(tar.subarray(0, cut)), gzipSync(tar.subarray(cut))])) },
    { weight: 1, arbitrary: fc.constant(withHeader(tar, 0x08, Buffer.from('name.tar\0'))) },
    { weight: 1, arbitrary: fc.constant(withHeader(tar, 0x04, Buffer.from([4, 0, 65, 66, 0, 0]))) },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 20 }).map((tail) => Buffer.concat([gzipSync(tar), tail])) },
    { weight: 1, arbitrary: fc.constant(Buffer.concat([gzipSync(tar), Buffer.alloc(100)])) },
    { weight: 1, arbitrary: fc.constant(Buffer.concat([gzipSync(tar), gzipSync(rawTar([{ path: 'assets/second', content: 'x' }]))])) },
    { weight: 1, arbitrary: fc.constant(tar) },
  );

/** A gzip member whose header has a flag and what belongs to it (RFC 1952). */
function withHeader(tar: Buffer, flag: number, extra: Buffer): Buffer {
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(crc32(tar), 0);
  tail.writeUInt32LE(tar.length, 4);
  return Buffer.concat([Buffer.from([0x1f, 0x8b, 8, flag, 0, 0, 0, 0, 0, 255]), extra, deflateRawSync(tar), tail]);
}

export const archives: fc.Arbitrary<Buffer> = fc.oneof({ weight: 6, arbitrary: tars.chain(gzipped) }, { weight: 1, arbitrary: damaged(tars, { least: 1, most: 3 }).map((tar) => gzipSync(tar)) }, { weight: 1, arbitrary: damaged(tars.map((tar) => gzipSync(tar)), { least: 1, most: 3 }) });
