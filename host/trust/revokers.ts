// Whose signed lists of revocations count: records in manifests/trust/revokers. Used by the survey, and by `trust add` and `trust list`.
import type { Diagnostic } from '../../schemas/control.ts';
import { RevokerRecord } from '../../schemas/revocation.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { compileSchema, parseDocument } from '../schema.ts';
import type { KeyWindow } from './key-window.ts';
import { readPublicKey } from './keys.ts';
import { readRegularFile } from './regular-file.ts';
import { isInstant } from './statement.ts';
import { recordFiles, recordRefusal } from './trust-store.ts';

export interface RevokerKey extends KeyWindow {
  readonly revoker: string;
  readonly keyid: string;
  readonly publicKey: Buffer;
}

export interface Revokers {
  readonly records: readonly { readonly record: RevokerRecord; readonly source: string }[];
  key(keyid: string): RevokerKey | undefined;
}

export const NO_REVOKERS: Revokers = { records: [], key: () => undefined };

const RECORD_BYTES = 64 * 1024;

/** Parses and judges one record. Throws TRUST_RECORD or KEY_REFUSED. */
export function readRevokerRecord(bytes: Uint8Array, source: string): { readonly record: RevokerRecord; readonly keys: readonly RevokerKey[] } {
  const refuse = (problem: string, cause?: unknown): never => {
    throw new GatehouseError('TRUST_RECORD', { source, problem }, { cause });
  };
  let record: RevokerRecord;
  try {
    record = parseDocument(bytes, compileSchema(RevokerRecord), { source, maxBytes: RECORD_BYTES, maxDepth: 4 });
  } catch (thrown) {
    return refuse(problemOf(thrown).replace(/\.$/, ''), thrown);
  }
  const { revoker, keys } = record;
  const repeated = keys.find(({ keyid }, index) => keys.findIndex((each) => each.keyid === keyid) !== index);
  if (repeated) refuse(`it names ${repeated.keyid} twice`);
  for (const { keyid, notBefore, notAfter } of keys) {
    const impossible = [notBefore, notAfter].find((time) => time !== undefined && !isInstant(time));
    if (impossible !== undefined) refuse(`there is no such time as ${impossible}`);
    if (notBefore !== undefined && notAfter !== undefined && notBefore >= notAfter) refuse(`${keyid} ends before it begins`);
  }
  return { record, keys: keys.map(({ publicKey, ...key }) => ({ ...key, revoker, publicKey: readPublicKey(publicKey, key.keyid) })) };
}

/** A record that is refused is left out and reported; so are both of two that name the same revoker, or the same key: nobody knows which is meant. */
export async function loadRevokers(folder: string): Promise<{ readonly revokers: Revokers; readonly diagnostics: readonly Diagnostic[] }> {
  const diagnostics: Diagnostic[] = [];
  const loaded: (ReturnType<typeof readRevokerRecord> & { readonly source: string })[] = [];
  for (const source of await recordFiles(folder)) {
    try {
      loaded.push({ ...readRevokerRecord(await readRegularFile(source), source), source });
    } catch (thrown) {
      diagnostics.push(recordRefusal(thrown, source));
    }
  }
  const claims = Map.groupBy(loaded.flatMap((each) => [each.record.revoker, ...each.keys.map(({ keyid }) => keyid)].map((claim) => ({ claim, each }))), ({ claim }) => claim);
  const disputed = new Set([...claims.values()].filter((all) => all.length > 1).flatMap((all) => all.map(({ each }) => each)));
  for (const { source, record } of disputed) diagnostics.push(recordRefusal(new GatehouseError('TRUST_RECORD', { source, problem: `another record names the revoker '${record.revoker}' or one of its keys` }), source));
  const counting = loaded.filter((each) => !disputed.has(each));
  const keys = new Map(counting.flatMap((each) => each.keys).map((key) => [key.keyid, key]));
  return { revokers: { records: counting.map(({ record, source }) => ({ record, source })), key: (keyid) => keys.get(keyid) }, diagnostics };
}
