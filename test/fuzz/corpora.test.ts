// Every kept input, again: what was once found, and what the field knows to be hostile, must meet the verdict that stands beside it.
import { describe, expect, it } from 'vitest';
import { parseStrict } from '../../host/strict-json.ts';
import { bytesOf, casesOf, corpusDoors, filesOf, verdictOf } from '../support/corpus.ts';

/** How an input goes through each door. */
const JUDGES: Readonly<Record<string, (bytes: Buffer, file: string) => Promise<string>>> = {
  'strict-json': (bytes) => verdictOf(() => parseStrict(bytes, { source: 'the text', maxBytes: 4096, maxDepth: 8 })),
};

describe('corpora', () => {
  it('have a judge each', () => {
    expect(corpusDoors()).toEqual(Object.keys(JUDGES).toSorted());
  });

  describe.each(corpusDoors())('%s', (door) => {
    it('names each of its files once', () => {
      expect(casesOf(door).map(({ file }) => file).toSorted()).toEqual(filesOf(door));
    });

    it.each(casesOf(door))('$file: $verdict', async (row) => {
      expect(await JUDGES[door]?.(bytesOf(door, row), row.file)).toBe(row.verdict);
    });
  });
});
