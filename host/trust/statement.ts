// The release itself: an in-toto statement that names every file of a package by digest. Written by sign, read by verify.
import { createHash, hash } from 'node:crypto';
import { RELEASE_PREDICATE_TYPE, ReleaseStatement } from '../../schemas/release.ts';
import { GatehouseError, problemOf, type Fields } from '../errors.ts';
import { compileSchema, parseDocument } from '../schema.ts';
import { ENVELOPE_FILE } from './dsse.ts';
import { valuesIn } from './found-at.ts';
import { provenanceProblem } from './provenance.ts';

const STATEMENT_BYTES = 512 * 1024;

export type Subject = ReleaseStatement['subject'];

/** Every file but the envelope, bytewise sorted by name. */
export function subjectOf(files: ReadonlyMap<string, Uint8Array>): Subject {
  const names = [...files.keys()].filter((name) => name !== ENVELOPE_FILE).sort(bytewise);
  return names.map((name) => ({ name, digest: { sha256: hash('sha256', files.get(name) ?? '', 'hex') } }));
}

/** `sha256:` over the lines `<hex>  <name>\n` of the subject in its order, the format of sha256sum(1): depends on content alone. */
export function packageDigest(subject: Subject): string {
  const hash = createHash('sha256');
  for (const { name, digest } of subject) hash.update(`${digest.sha256}  ${name}\n`);
  return `sha256:${hash.digest('hex')}`;
}

/** The exact bytes that are signed. */
export function writeStatement(subject: Subject, predicate: ReleaseStatement['predicate']): Buffer {
  const statement: ReleaseStatement = { _type: 'https://in-toto.io/Statement/v1', subject, predicateType: RELEASE_PREDICATE_TYPE, predicate };
  return Buffer.from(JSON.stringify(statement));
}

/** Parses payload bytes whose signature has been verified. Throws RELEASE_ENVELOPE. */
export function readStatement(payload: Uint8Array, source: string): ReleaseStatement {
  const refuse = (problem: string, cause?: unknown, values: Fields = valuesIn(payload, cause)): never => {
    throw new GatehouseError('RELEASE_ENVELOPE', { source, problem, ...values }, { cause });
  };
  let statement: ReleaseStatement;
  try {
    statement = parseDocument(payload, compileSchema(ReleaseStatement), { source: 'the statement', maxBytes: STATEMENT_BYTES, maxDepth: 4 });
  } catch (thrown) {
    return refuse(problemOf(thrown), thrown);
  }
  const { subject, predicate } = statement;
  subject.forEach(({ name }, index) => {
    const before = subject[index - 1];
    if (before && bytewise(before.name, name) >= 0) refuse(`subject is not sorted, or names '${name}' twice`, undefined, { expected: `a name after '${before.name}'`, found: `'${name}'` });
  });
  for (const time of [predicate.issuedAt, predicate.expiresAt]) {
    if (time !== undefined && !isInstant(time)) refuse(`there is no such time as ${time}`, undefined, { expected: 'a time that exists', found: time });
  }
  const problem = predicate.provenance && provenanceProblem(predicate.provenance);
  if (problem !== undefined) refuse(problem, undefined, { expected: 'a provenance in its one form', found: JSON.stringify(predicate.provenance) });
  return statement;
}

/** Whether a timestamp of the right form names a moment that exists; February 30th does not. */
export function isInstant(timestamp: string): boolean {
  const time = Date.parse(timestamp);
  return !Number.isNaN(time) && new Date(time).toISOString() === timestamp;
}

/** The order of the UTF-8 bytes. Up to the surrogates that is the order of the characters, and no bytes need be made. */
export function bytewise(a: string, b: string): number {
  for (let at = 0; at < a.length && at < b.length; at += 1) {
    const one = a.charCodeAt(at);
    const other = b.charCodeAt(at);
    if (one !== other) return one < FIRST_SURROGATE && other < FIRST_SURROGATE ? one - other : Buffer.compare(Buffer.from(a), Buffer.from(b));
  }
  return a.length - b.length;
}

const FIRST_SURROGATE = 0xd800;
