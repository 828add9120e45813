// Checks in this browser that an entry is in the audit log: the path of RFC 6962 from its leaf to the root, and the signature of the head. The host's own word is not taken for it.
import type { AuditProof } from '../../../../../schemas/audit.ts';

export type Finding = { readonly what: string; readonly is: 'good' | 'bad' | 'unknown'; readonly detail: string };

const encoder = new TextEncoder();

/** WebCrypto is only where the page came over https or from this machine. */
export const canVerify = (): boolean => globalThis.crypto?.subtle !== undefined;

export async function verifyProof({ entry, leaf, path, head }: AuditProof): Promise<readonly Finding[]> {
  const { index, at, actor, action, resource, outcome, detail } = entry;
  // The order of the keys is part of what was hashed.
  const bytes = encoder.encode(JSON.stringify({ index, at, actor, action, resource, outcome, ...(detail === undefined ? {} : { detail }) }));
  const own = await sha256(Uint8Array.of(0, ...bytes));
  const isLeaf = hexOf(own) === leaf;
  const root = await rootOf(own, index, head.size, path.map(fromHex));
  const isIn = root !== undefined && hexOf(root) === head.root;
  const signed = await isSigned(head);
  return [
    { what: 'The entry is the one whose hash the proof names', is: isLeaf ? 'good' : 'bad', detail: isLeaf ? `SHA-256 ${leaf.slice(0, 16)}…` : 'It was changed after it was written.' },
    { what: 'Its hash leads to the root of the log', is: isIn ? 'good' : 'bad', detail: isIn ? `${path.length} steps to the root of ${head.size} entries` : `The path does not lead to the root of ${head.size} entries.` },
    { what: 'The root is signed by the log key', is: signed === undefined ? 'unknown' : signed ? 'good' : 'bad', detail: signed === undefined ? 'This browser cannot check Ed25519 signatures. `gatehouse audit verify` can.' : signed ? `Ed25519, key ${head.keyid}` : 'The signature is not of this key.' },
  ];
}

/** RFC 9162 §2.1.3.2: where the path leads to; undefined where it has not the length that the place demands. */
async function rootOf(leaf: Uint8Array<ArrayBuffer>, index: number, size: number, path: readonly Uint8Array[]): Promise<Uint8Array | undefined> {
  if (index >= size) return undefined;
  let [at, last, hash] = [index, size - 1, leaf];
  const half = (value: number) => Math.floor(value / 2);
  for (const sibling of path) {
    if (last === 0) return undefined;
    if (at % 2 === 1 || at === last) {
      hash = await sha256(Uint8Array.of(1, ...sibling, ...hash));
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else hash = await sha256(Uint8Array.of(1, ...hash, ...sibling));
    [at, last] = [half(at), half(last)];
  }
  return last === 0 ? hash : undefined;
}

/** Undefined where the browser does not know the algorithm. */
async function isSigned({ keyid, size, root, at, signature, publicKey }: AuditProof['head']): Promise<boolean | undefined> {
  try {
    const key = await crypto.subtle.importKey('raw', fromBase64(publicKey), 'Ed25519', false, ['verify']);
    return await crypto.subtle.verify('Ed25519', key, fromBase64(signature), encoder.encode(`gatehouse audit head v1\n${keyid}\n${size}\n${root}\n${at}\n`));
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === 'NotSupportedError') return undefined;
    return false;
  }
}

const sha256 = async (bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
const hexOf = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const fromHex = (text: string): Uint8Array => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const fromBase64 = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(text), (letter) => letter.codePointAt(0) ?? 0);
