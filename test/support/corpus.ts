// Corpora: hostile bytes kept as files, each with what must become of it. A case is added without code: a file in test/fixtures/corpora/<door>/, a row in its cases.json.
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { refusalOf } from './refusal.ts';

export const CORPORA = resolve(import.meta.dirname, '../fixtures/corpora');

/** `{ "file": "bom.json", "verdict": "JSON_ENCODING", "why": "…" }` */
export interface CorpusCase {
  /** Its name beside cases.json; what is in it goes through the door as it is. */
  readonly file: string;
  /** `accepted`, an error code, or what the door's judge calls it. */
  readonly verdict: string;
  readonly why?: string;
}

export const corpusDoors = (): string[] => readdirSync(CORPORA, { withFileTypes: true }).filter((each) => each.isDirectory()).map(({ name }) => name).sort();

/** The rows of a door; a list, or an object that holds it as `cases`. */
export function casesOf(door: string): readonly CorpusCase[] {
  const document = JSON.parse(readFileSync(join(CORPORA, door, 'cases.json'), 'utf8')) as readonly CorpusCase[] | { readonly cases: readonly CorpusCase[] };
  return 'cases' in document ? document.cases : document;
}

export const filesOf = (door: string): string[] => readdirSync(join(CORPORA, door)).filter((name) => name !== 'cases.json').sort();

export const bytesOf = (door: string, { file }: CorpusCase): Buffer => readFileSync(join(CORPORA, door, file));

/** `accepted`, or the code of the refusal; anything else thrown is no verdict. */
export const verdictOf = async (work: () => unknown): Promise<string> => (await refusalOf(work))?.code ?? 'accepted';
