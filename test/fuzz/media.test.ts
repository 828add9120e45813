// Files as attackers send them: whatever the bytes are, the inspector answers, in proportion to their number, and what it lets through is what it says.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inspect, type Found, type Refused } from '../../host/media/inspect.ts';
import { TYPES } from '../../host/media/types.ts';
import { cpuRatio } from '../support/cpu-ratio.ts';
import { fuzzDoor } from '../support/fuzz.ts';
import { bytesOf, type Recipe } from '../support/media-bytes.ts';
import { damaged } from './arbitraries/bytes.ts';

const door = fuzzDoor('media');

const WHOLE: readonly Recipe[] = [
  { png: { width: 30, height: 20, frames: 3, comment: 'hello' } },
  { jpeg: { width: 640, height: 480, comment: 'hello' } },
  { gif: { width: 10, height: 20, frames: 3, comment: 'hello' } },
  { webp: { width: 320, height: 200 } },
  { avif: { width: 1920, height: 1080 } },
  { iso: 'isom' },
  { zip: [{ name: '[Content_Types].xml', content: 'x' }, { name: 'word/document.xml', content: 'y' }], comment: 'z' },
  '%PDF-1.7\n1 0 obj\nendobj\n%%EOF\n',
  'a text\nof two lines',
];

const DICTIONARY = ['PK\u0003\u0004', 'PK\u0001\u0002', 'PK\u0005\u0006', '%PDF-', '<script>', 'Rar!\u001a\u0007', '\u00ff\u00d9', '\u00ff\u00da', 'IEND', 'ispe', 'ANMF', '\u00ff\u00ff\u00ff\u00ff', '\0\0\0\0', 'MZ'];

const files = damaged(fc.array(fc.constantFrom(...WHOLE.map(bytesOf)), { minLength: 1, maxLength: 2 }).map((parts) => Buffer.concat(parts)), { most: 6, dictionary: DICTIONARY });

describe('files, whatever their bytes', () => {
  it('are of a type that is known, with a size that can be drawn, or refused with a reason', () => door.holds({ runs: 4000, given: files }, (bytes) => {
    const found = inspect(bytes, { kind: 'file' });
    const { mimeType = 'image/png', width = 1, height = 1, problem = 'is fine' } = { ...found } as Partial<Found & Refused>;
    expect(Object.keys(TYPES)).toContain(mimeType);
    expect(width > 0 && height > 0 && width * height <= 64_000_000).toBe(true);
    expect(problem).toMatch(/^(is|says) [^\0]{3,200}$/);
  }));

  it('are let through by nobody once an archive lies behind them', () => door.holds({ runs: 500, given: files }, (bytes) => {
    const found = inspect(Buffer.concat([bytes, bytesOf({ zip: [{ name: 'Evil.class', content: 'x' }] })]), { kind: 'file' });
    expect('refused' in found || /zip|officedocument|opendocument/.test(found.mimeType)).toBe(true);
  }));

  it.each<[string, (size: number) => Buffer]>([
    ['ends of archives', (size) => bytesOf(['%PDF-1.7', ...Array.from({ length: size / 22 }, () => '0x504b0506000000000100010000000000000000000000')])],
    ['comments of markup', (size) => Buffer.from('<!-- -->'.repeat(size / 8))],
    ['white space', (size) => Buffer.from(' '.repeat(size))],
    ['boxes', (size) => bytesOf([{ iso: 'avif' }, ...Array.from({ length: size / 8 }, () => '0x000000086d657461')])],
    ['markers of scans', (size) => bytesOf([{ cut: { jpeg: { width: 10, height: 10 } }, to: 49 }, ...Array.from({ length: size / 2 }, () => '0xff00')])],
    ['scans', (size) => bytesOf([{ cut: { jpeg: { width: 10, height: 10 } }, to: 46 }, ...Array.from({ length: size / 9 }, () => '0xffda00070101003f00')])],
    ['blocks of a GIF', (size) => bytesOf(['GIF89a', '0x0a000a00000000', ...Array.from({ length: size / 4 }, () => '0x21fe0000')])],
    ['chunks of a PNG', (size) => bytesOf([{ cut: { png: { width: 10, height: 10 } }, to: 33 }, ...Array.from({ length: size / 12 }, () => '0x000000006161616100000000')])],
  ])('cost in proportion to %s', (_, bytesFor) => {
    const [small, large] = [bytesFor(64_000), bytesFor(512_000)];
    const looked = (bytes: Buffer) => () => void inspect(bytes, { kind: 'file' });
    expect(cpuRatio(looked(small), looked(large))).toBeLessThan(32); // 8 when linear, 64 when quadratic
  });
});
