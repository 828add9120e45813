// What people are let in by: short codes that are read out, and invites that are sent. Both are made here and kept as hashes.
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** Nothing that is taken for something else when it is read out: no 0 and O, no 1 and I. 32 letters, so that five bits pick one. */
export const CODE_ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789';
const CODE_CHARACTERS = 8;
const CODE = new RegExp(`^[${CODE_ALPHABET}]{${CODE_CHARACTERS}}$`);

export interface HashedCode {
  readonly salt: string;
  readonly sha256: string;
}

export function newCode(): { readonly code: string; readonly hashed: HashedCode } {
  const code = Array.from(randomBytes(CODE_CHARACTERS), (byte) => CODE_ALPHABET[byte & 31]).join('');
  const salt = randomBytes(16).toString('hex');
  return { code, hashed: { salt, sha256: hash('sha256', `${salt}${code}`) } };
}

/** As somebody typed it: case, spaces and dashes are forgiven. Undefined when it cannot be a code. */
export function readCode(typed: string): string | undefined {
  const code = typed.replaceAll(/[\s-]/g, '').toUpperCase();
  return CODE.test(code) ? code : undefined;
}

export const isCodeOf = (code: string, { salt, sha256 }: HashedCode): boolean => isSame(hash('sha256', `${salt}${code}`), sha256);

/** 64 bits name an invite, 256 bits prove it, as with tokens. */
const INVITE = /^ghi_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;

export interface NewInvite {
  readonly id: string;
  readonly invite: string;
  readonly secretSha256: string;
}

export function newInvite(): NewInvite {
  const id = randomBytes(8).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  return { id, invite: `ghi_${id}_${secret}`, secretSha256: hash('sha256', secret) };
}

/** Undefined when the text is no invite. */
export function readInvite(text: string): { readonly id: string; readonly secretSha256: string } | undefined {
  const [, id, secret] = INVITE.exec(text.trim()) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secretSha256: hash('sha256', secret) };
}

/** In the same time wherever they differ. */
export const isSame = (one: string, other: string): boolean => one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
