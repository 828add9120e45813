// What every trust record has in common, whoever it is about: how it is parsed, what makes its keys good ones, and how a folder of them is read. Used by trust-store.ts, reviewers.ts and revokers.ts.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Static, TSchema } from 'typebox';
import type { Diagnostic } from '../../schemas/control.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { compileSchema, parseDocument } from '../schema.ts';
import type { KeyWindow } from './key-window.ts';
import { readPublicKey } from './keys.ts';
import { readRegularFile } from './regular-file.ts';
import { isInstant } from './statement.ts';

const RECORD_BYTES = 64 * 1024;

export function refuseRecord(source: string, problem: string, cause?: unknown): never {
  throw new GatehouseError('TRUST_RECORD', { source, problem }, { cause });
}

/** Throws TRUST_RECORD. */
export function parseRecord<S extends TSchema>(schema: S, bytes: Uint8Array, source: string): Static<S> {
  try {
    return parseDocument(bytes, compileSchema<Static<S>>(schema), { source, maxBytes: RECORD_BYTES, maxDepth: 4 });
  } catch (thrown) {
    if (thrown instanceof GatehouseError) return refuseRecord(source, thrown.message.replace(/\.$/, ''), thrown);
    throw thrown;
  }
}

interface WrittenKey extends KeyWindow {
  readonly keyid: string;
  readonly publicKey: string;
}

/** A key that may be believed within its window. */
export interface RecordedKey extends KeyWindow {
  readonly keyid: string;
  readonly publicKey: Buffer;
}

/** Each key once, with a window that is one. Throws TRUST_RECORD, and KEY_REFUSED for a key that is none. */
export function keysOfRecord(keys: readonly WrittenKey[], source: string): RecordedKey[] {
  const repeated = keys.find(({ keyid }, index) => keys.findIndex((each) => each.keyid === keyid) !== index);
  if (repeated) refuseRecord(source, `it names ${repeated.keyid} twice`);
  return keys.map(({ keyid, publicKey, notBefore, notAfter }) => {
    const impossible = [notBefore, notAfter].find((time) => time !== undefined && !isInstant(time));
    if (impossible !== undefined) refuseRecord(source, `there is no such time as ${impossible}`);
    if (notBefore !== undefined && notAfter !== undefined && notBefore >= notAfter) refuseRecord(source, `${keyid} ends before it begins`);
    return { keyid, publicKey: readPublicKey(publicKey, keyid), ...(notBefore === undefined ? {} : { notBefore }), ...(notAfter === undefined ? {} : { notAfter }) };
  });
}

/** Reads every record of the folders; one that is refused is left out and reported under `rule`. A folder that is not there holds none; throws for one that cannot be read. */
export async function readRecords<Record>(folders: readonly string[], rule: string, read: (bytes: Uint8Array, source: string) => Record): Promise<{ readonly loaded: readonly (Record & { readonly source: string })[]; readonly diagnostics: Diagnostic[] }> {
  const diagnostics: Diagnostic[] = [];
  const loaded: (Record & { readonly source: string })[] = [];
  for (const source of (await Promise.all(folders.map(recordFiles))).flat()) {
    try {
      loaded.push({ ...read(await readRegularFile(source), source), source });
    } catch (thrown) {
      diagnostics.push(recordRefusal(thrown, source, rule));
    }
  }
  return { loaded, diagnostics };
}

/** Every `<name>.json` of a folder in the order of names; no hidden files and no `.key.json`. */
async function recordFiles(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names.filter((name) => name.endsWith('.json') && !name.endsWith('.key.json') && !name.startsWith('.')).sort().map((name) => join(folder, name));
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return [];
    throw thrown;
  }
}

/** How a record that is left out is told, whatever kept it from being read. */
export function recordRefusal(thrown: unknown, source: string, rule = 'trust-record'): Diagnostic {
  const { code, message, fix } = thrown instanceof GatehouseError ? thrown : new GatehouseError('TRUST_RECORD', { source, problem: `it cannot be read (${problemOf(thrown).split(':')[0]})` }, { cause: thrown });
  return { code, severity: 'degraded', manifest: source, stage: 'trust', rule, message, fix };
}
