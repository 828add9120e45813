// What a verdict on an audit log rests on: a key file that was named, else the home's log.json, else nothing; and the tree head that somebody remembered. Called by `audit verify`.
import { existsSync } from 'node:fs';
import { findHome } from '../config.ts';
import { AuditHead, ExportEnd, TreeHead } from '../../schemas/audit.ts';
import { GatehouseError } from '../errors.ts';
import { compileSchema, parseDocument } from '../schema.ts';
import { join } from 'node:path';
import { logTrustFile, readLogTrust } from '../trust/log/log-key.ts';
import { readPublicKey } from '../trust/keys.ts';
import type { Anchor } from '../trust/log/verify-export.ts';
import type { Io } from './io.ts';
import { parseStrict } from '../strict-json.ts';
import { readInput } from './read-input.ts';

/** Throws FILE_UNREADABLE, and what reading a log.json throws. */
export async function anchorOf(io: Io, keyFile: string | undefined): Promise<Anchor> {
  const home = homeFile(io);
  const source = keyFile ?? home;
  if (source === undefined) return { kind: 'none', source: 'the export itself', keys: new Map() };
  const { keys } = readLogTrust(await readInput(io, source), source);
  return { kind: keyFile === undefined ? 'home' : 'key', source, keys: new Map(keys.map(({ keyid, publicKey }) => [keyid, readPublicKey(publicKey, keyid)])) };
}

/** As `audit head` writes it, bare, or as the last line of an export. Throws FILE_UNREADABLE, JSON_…, SCHEMA_…. */
export async function rememberedHead(io: Io, file: string): Promise<AuditHead | TreeHead> {
  const bytes = await readInput(io, file);
  const options = { source: file, maxBytes: 4096, maxDepth: 3 };
  const { value } = parseStrict(bytes, options);
  if (compileSchema(ExportEnd).is(value)) return value.head;
  if (compileSchema(TreeHead).is(value)) return value;
  return parseDocument(bytes, compileSchema(AuditHead), options);
}

/** Outside a home an export is judged all the same. */
function homeFile({ options, env, cwd }: Io): string | undefined {
  try {
    const file = logTrustFile(join(findHome({ home: options.home, env, cwd }), 'manifests'));
    return existsSync(file) ? file : undefined;
  } catch (thrown) {
    if (thrown instanceof GatehouseError && thrown.code === 'HOME_NOT_FOUND' && options.home === undefined) return undefined;
    throw thrown;
  }
}
