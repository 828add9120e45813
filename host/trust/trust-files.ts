// Where a home keeps whom it trusts and what it revoked. Asked by the survey, the watcher and the command line.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface TrustFiles {
  /** The operator's own list. */
  readonly revocations: string;
  /** A signed list, and a folder for more. */
  readonly signedList: string;
  readonly signedLists: string;
  readonly revokers: string;
  readonly successions: string;
}

/** `trustDir`: `manifests/trust`, or a folder like it. */
export function trustFiles(trustDir: string): TrustFiles {
  return {
    revocations: join(trustDir, 'revocations.json'),
    signedList: join(trustDir, 'revocations.dsse.json'),
    signedLists: join(trustDir, 'revocations'),
    revokers: join(trustDir, 'revokers'),
    successions: join(trustDir, 'successions'),
  };
}

export const trustFilesOf = ({ manifestsDir }: { readonly manifestsDir: string }): TrustFiles => trustFiles(join(manifestsDir, 'trust'));

/** Every signed list that is there, or should be. */
export async function signedListFiles({ signedList, signedLists }: Pick<TrustFiles, 'signedList' | 'signedLists'>): Promise<string[]> {
  try {
    const names = (await readdir(signedLists)).filter((name) => name.endsWith('.dsse.json') && !name.startsWith('.')).sort();
    return [signedList, ...names.map((name) => join(signedLists, name))];
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return [signedList];
    throw thrown;
  }
}
