// Secrets by reference: whether a reference leads to a value, and the value for the few who inject or verify with it. Never kept, logged or passed on.
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { SecretReference } from '../../schemas/enablement.ts';

export type SecretReading = { readonly ok: true; readonly value: string } | { readonly ok: false; readonly problem: string };

export interface SecretPlaces {
  /** Files are relative to it. */
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const SECRET_BYTES = 64 * 1024;

/** A file loses one trailing newline. An empty value is no secret. */
export function readSecret(reference: SecretReference | undefined, { home, env }: SecretPlaces): SecretReading {
  if (!reference) return { ok: false, problem: 'the enablement does not name it' };
  if ('env' in reference) {
    const value = env[reference.env];
    return value ? { ok: true, value } : { ok: false, problem: `the environment variable ${reference.env} is ${value === undefined ? 'not set' : 'empty'}` };
  }
  try {
    const path = resolve(home, reference.file);
    if (statSync(path).size > SECRET_BYTES) return { ok: false, problem: `the file ${reference.file} has more than ${SECRET_BYTES} bytes` };
    const value = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    return value === '' ? { ok: false, problem: `the file ${reference.file} is empty` } : { ok: true, value };
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unknown';
    return { ok: false, problem: `the file ${reference.file} cannot be read (${code})` };
  }
}
