// What the log key signs: tree heads and, in exports, checkpoints. Each is a text with a first line of its own, so that neither passes for the other or for a release.
import type { TreeHead } from '../../../schemas/audit.ts';
import { decodeBase64, sign, verifyWithNode, type SigningKey } from '../keys.ts';

type Unsigned = Pick<TreeHead, 'size' | 'root' | 'at'>;

export function signHead(key: SigningKey, { size, root, at }: Unsigned): TreeHead {
  return { size, root, at, keyid: key.keyid, signature: sign(key, headText(key.keyid, { size, root, at })).toString('base64') };
}

/** `publicKey` is one the caller believes and `head.keyid` names. */
export function isHeadGenuine(head: TreeHead, publicKey: Uint8Array): boolean {
  return isSigned(headText(head.keyid, head), head.signature, publicKey);
}

/** Says that the log begins with these entries, not that it ends there: cut after a checkpoint, an export has no end. */
export function signCheckpoint(key: SigningKey, size: number, root: string): string {
  return sign(key, checkpointText(key.keyid, size, root)).toString('base64');
}

export function isCheckpointGenuine({ keyid, size, root, signature }: { readonly keyid: string; readonly size: number; readonly root: string; readonly signature: string }, publicKey: Uint8Array): boolean {
  return isSigned(checkpointText(keyid, size, root), signature, publicKey);
}

const headText = (keyid: string, { size, root, at }: Unsigned) => Buffer.from(`gatehouse audit head v1\n${keyid}\n${size}\n${root}\n${at}\n`);
const checkpointText = (keyid: string, size: number, root: string) => Buffer.from(`gatehouse audit checkpoint v1\n${keyid}\n${size}\n${root}\n`);

function isSigned(text: Buffer, signature: string, publicKey: Uint8Array): boolean {
  const bytes = decodeBase64(signature);
  return bytes !== undefined && verifyWithNode(publicKey, text, bytes);
}
