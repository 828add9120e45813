// Secrets by reference: whether a reference leads to a value, and the value for the few who inject or verify with it. Never logged or passed on, and kept for seconds only.
import { isUtf8 } from 'node:buffer';
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { SecretReference } from '../../schemas/enablement.ts';
import type { Clock } from '../clock.ts';

export type SecretReading = { readonly ok: true; readonly value: string } | { readonly ok: false; readonly code: 'SECRET_MISSING' | 'SECRET_UNUSABLE'; readonly problem: string };

export interface SecretPlaces {
  /** Files are relative to it. */
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const SECRET_BYTES = 64 * 1024;

/** Shorter ones are used, with a warning, and not looked for in what servers send back: they would be found in honest answers. */
export const SHORTEST_SECRET = 8;

/** So long a value is used before it is read again: a changed file counts within this time. */
export const SECRET_FRESH_MS = 5000;

/** A file loses one trailing newline. An empty value is no secret, and more than one line cannot be one. */
export function readSecret(reference: SecretReference | undefined, { home, env }: SecretPlaces): SecretReading {
  if (!reference) return missing('the enablement does not name it');
  if ('env' in reference) {
    // An own variable only: `__proto__` and `toString` are well-formed names, and what every object answers to them is no text.
    const value = Object.hasOwn(env, reference.env) ? env[reference.env] : undefined;
    return value ? singleLine(value, `the environment variable ${reference.env}`) : missing(`the environment variable ${reference.env} is ${value === undefined ? 'not set' : 'empty'}`);
  }
  const place = `the file ${reference.file}`;
  try {
    const path = resolve(home, reference.file);
    const about = statSync(path);
    if (!about.isFile()) return missing(`${place} is not a regular file`); // a pipe would keep the host waiting, a device filling its memory
    if (about.size > SECRET_BYTES) return unusable(`${place} has more than ${SECRET_BYTES} bytes`);
    const bytes = readFileSync(path);
    if (!isUtf8(bytes)) return unusable(`${place} is not UTF-8 text; write such a key in hex or base64, if the other side takes it so`);
    const value = bytes.toString().replace(/\r?\n$/, '');
    return value === '' ? missing(`${place} is empty`) : singleLine(value, place);
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unknown';
    return missing(`${place} cannot be read (${code})`);
  }
}

/** Why a secret cannot stand in a header (RFC 9110, section 5.5); undefined when it can. */
export function headerProblem(value: string): string | undefined {
  if (!/^[\x20-\x7e]*$/.test(value)) return 'its value goes into a header and has characters that are not printable ASCII';
  return value === value.trim() ? undefined : 'its value goes into a header, which would lose the space at its beginning or end';
}

/** Values for as long as they are fresh. A file that cannot be read at its turn, as while it is being replaced, keeps its value until the next. */
export class Secrets {
  readonly #places: SecretPlaces;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly reading: SecretReading; readonly readAt: number; readonly overdue: boolean }>();

  constructor(places: SecretPlaces, clock: Clock) {
    this.#places = places;
    this.#clock = clock;
  }

  read(reference: SecretReference | undefined): SecretReading {
    const key = JSON.stringify(reference ?? null);
    const known = this.#known.get(key);
    const readAt = this.#clock.monotonicMs();
    if (known && readAt - known.readAt < SECRET_FRESH_MS) return known.reading;
    const reading = readSecret(reference, this.#places);
    const overdue = !reading.ok && known?.reading.ok === true && !known.overdue;
    const next = { reading: overdue ? known.reading : reading, readAt, overdue };
    this.#known.set(key, next);
    return next.reading;
  }

  /** Forgets every value that none of these references leads to: of whoever uses them no more. */
  keepOnly(references: Iterable<SecretReference>): void {
    const kept = new Set(Array.from(references, (reference) => JSON.stringify(reference)));
    for (const key of this.#known.keys()) if (!kept.has(key)) this.#known.delete(key);
  }

  /** Undefined where there is no value to be had. */
  valueOf(reference: SecretReference | undefined): string | undefined {
    const reading = this.read(reference);
    return reading.ok ? reading.value : undefined;
  }
}

const missing = (problem: string): SecretReading => ({ ok: false, code: 'SECRET_MISSING', problem });
const unusable = (problem: string): SecretReading => ({ ok: false, code: 'SECRET_UNUSABLE', problem });

/** A line break in a header would start another one; anywhere else it is a mistake in writing the secret down. */
function singleLine(value: string, place: string): SecretReading {
  return /[\r\n\0]/.test(value) ? unusable(`${place} holds more than one line`) : { ok: true, value };
}
