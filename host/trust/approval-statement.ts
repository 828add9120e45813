// One approval or rejection: what a reviewer signs, written and read. Used by `approve`, by approvals.ts and by the host's desk for them.
import { createHash } from 'node:crypto';
import { APPROVAL_PREDICATE_TYPE, ApprovalStatement, type ApprovalPredicate } from '../../schemas/approval.ts';
import { GatehouseError } from '../errors.ts';
import { compileSchema, parseDocument } from '../schema.ts';
import { preAuthEncoding, readEnvelope, writeEnvelope, type Envelope } from './dsse.ts';
import { verifyWithNode, verifyWithTweetnacl } from './keys.ts';
import type { Reviewers } from './reviewers.ts';
import { isInstant } from './statement.ts';
import type { VerifyOptions } from './verify.ts';

/** Whoever can sign bytes: a key in memory, or a command of the reviewer's. */
export interface Signer {
  readonly keyid: string;
  readonly sign: (message: Uint8Array) => Promise<Buffer> | Buffer;
}

/** A statement whose signature a reviewer's key made. Whether it still counts is asked in approvals.ts. */
export interface Approval extends ApprovalPredicate {
  /** From the signed bytes: the same however the envelope is written. */
  readonly id: string;
  /** `<plugin id>-<version>`. */
  readonly subject: string;
  readonly keyid: string;
}

const STATEMENT_BYTES = 64 * 1024;

/** The exact bytes that are signed. */
export function writeApproval(subject: string, predicate: ApprovalPredicate): Buffer {
  const { packageDigest, grantsDigest, signedBy, instance, reviewer, decision, note, issuedAt, expiresAt } = predicate;
  const statement: ApprovalStatement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: subject, digest: { sha256: packageDigest.slice('sha256:'.length) } }],
    predicateType: APPROVAL_PREDICATE_TYPE,
    predicate: { packageDigest, grantsDigest, ...(signedBy === undefined ? {} : { signedBy }), instance, reviewer, decision, note, issuedAt, ...(expiresAt === undefined ? {} : { expiresAt }) },
  };
  return Buffer.from(JSON.stringify(statement));
}

export function approvalIdOf(payload: Uint8Array): string {
  return createHash('sha256').update(payload).digest('hex').slice(0, 32);
}

/** Signs, and proves the signature by both implementations before anybody is given it. Throws SIGNER_FAILED. */
export async function sealApproval(payload: Buffer, signer: Signer, publicKey: Buffer): Promise<Buffer> {
  const message = preAuthEncoding(payload);
  const signature = await signer.sign(message);
  if (!holds(publicKey, message, signature)) throw new GatehouseError('SIGNER_FAILED', { command: signer.keyid, problem: 'its signature does not verify' });
  return writeEnvelope({ payload, keyid: signer.keyid, signature });
}

export interface ApprovalReading {
  readonly approval: Approval;
  readonly envelope: Envelope;
}

/**
 * Believes nothing before the signature holds: envelope, then the key of a reviewer, then the statement, which must name that reviewer. Throws APPROVAL_REFUSED for all that is
 * wrong, another kind of statement included: a release that a reviewer's key signed approves nothing.
 */
export function readApproval(bytes: Uint8Array, source: string, reviewers: Reviewers, secondOpinion: VerifyOptions['secondOpinion'] = 'always'): ApprovalReading {
  const refuse = (problem: string, cause?: unknown): never => {
    throw new GatehouseError('APPROVAL_REFUSED', { source, problem }, { cause });
  };
  const envelope = attempt(() => readEnvelope(bytes, source), refuse);
  const { payload, keyid, signature } = envelope;
  const key = reviewers.find(keyid) ?? refuse(`no reviewer's record names its key ${keyid}`);
  const message = preAuthEncoding(payload);
  const known = secondOpinion !== 'always' && secondOpinion.known(digestOf(bytes));
  if (!verifyWithNode(key.publicKey, message, signature) || !(known || verifyWithTweetnacl(key.publicKey, message, signature))) refuse(`the signature by ${keyid} does not verify`);
  if (secondOpinion !== 'always') secondOpinion.remember(digestOf(bytes));
  const { predicate, subject: [subject] } = attempt(() => parseDocument(payload, compileSchema(ApprovalStatement), { source: 'the statement', maxBytes: STATEMENT_BYTES, maxDepth: 4 }), refuse);
  if (predicate.reviewer !== key.reviewer) refuse(`it is signed by '${key.reviewer}' and speaks for '${predicate.reviewer}'`);
  if (subject === undefined || `sha256:${subject.digest.sha256}` !== predicate.packageDigest) return refuse('its subject is another package than its predicate');
  const impossible = [predicate.issuedAt, predicate.expiresAt].find((time) => time !== undefined && !isInstant(time));
  if (impossible !== undefined) refuse(`there is no such time as ${impossible}`);
  return { approval: { ...predicate, id: approvalIdOf(payload), subject: subject.name, keyid }, envelope };
}

/** The name of its file: the same wherever it is made, and none that could be another's. */
export function approvalFileName({ subject, instance, reviewer, id }: Pick<Approval, 'subject' | 'instance' | 'reviewer' | 'id'>): string {
  const version = /-(\d[0-9A-Za-z.-]*)$/.exec(subject)?.[1] ?? '0';
  return `${instance}-${version}-${reviewer}-${id.slice(0, 12)}.dsse.json`;
}

function holds(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return verifyWithNode(publicKey, message, signature) && verifyWithTweetnacl(publicKey, message, signature);
}

const digestOf = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

function attempt<T>(work: () => T, refuse: (problem: string, cause?: unknown) => never): T {
  try {
    return work();
  } catch (thrown) {
    if (!(thrown instanceof GatehouseError)) throw thrown;
    const problem = thrown.code === 'RELEASE_ENVELOPE' ? String(thrown.fields['problem']) : thrown.message;
    return refuse(problem.replace(/\.$/, ''), thrown);
  }
}
