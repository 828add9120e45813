// Revokers, their signed lists and successions of keys as test files: `await writeRevoker(home, key)`, `await writeList(home, key, 3, { digests })`.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { toTimestamp } from '../../host/clock.ts';
import type { SigningKey } from '../../host/trust/keys.ts';
import { writeSignedList, type ListContent } from '../../host/trust/revocation-lists.ts';
import { writeSuccession } from '../../host/trust/successions.ts';
import type { Revocations } from '../../schemas/revocation.ts';

export const HOUR_MS = 3600 * 1000;

/** Writes `manifests/trust/<path>`; returns the file. */
export async function writeTrust(home: string, path: string, content: string | Uint8Array | object): Promise<string> {
  const file = join(home, 'manifests', 'trust', path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content));
  return file;
}

/** The key may sign lists. */
export function writeRevoker(home: string, key: SigningKey, validity: { readonly notBefore?: string; readonly notAfter?: string } = {}): Promise<string> {
  return writeTrust(home, `revokers/${key.publisher}.json`, { revoker: key.publisher, keys: [{ keyid: key.keyid, publicKey: key.publicKey.toString('base64'), ...validity }] });
}

export interface TestList extends Pick<Revocations, 'keys' | 'digests' | 'plugins'> {
  readonly issuedAtMs?: number;
  readonly expiresAtMs?: number;
}

export function aList(key: SigningKey, sequence: number, now: number, { issuedAtMs = now, expiresAtMs = now + HOUR_MS, ...revoked }: TestList = {}): Buffer {
  const content: ListContent = { sequence, issuedAt: toTimestamp(issuedAtMs), expiresAt: toTimestamp(expiresAtMs), ...revoked };
  return writeSignedList(key, content);
}

export function aSuccession(old: SigningKey, heir: SigningKey, issuedAtMs: number, notBeforeMs = issuedAtMs): Buffer {
  return writeSuccession(old, heir, { issuedAt: toTimestamp(issuedAtMs), notBefore: toTimestamp(notBeforeMs) });
}
