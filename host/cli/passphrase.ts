// The passphrase of a reviewer's key: from a file, an environment variable or the keyboard, never from the command line, where every process of the machine could read it.
import { GatehouseError } from '../errors.ts';
import type { Io } from './io.ts';
import { readInput } from './read-input.ts';

export interface PassphraseOptions {
  readonly passphraseFile?: string;
  readonly passphraseEnv?: string;
}

/** Throws PASSPHRASE_MISSING, FILE_UNREADABLE. */
export async function passphraseOf(io: Io, options: PassphraseOptions, keyFile: string): Promise<string> {
  return (await given(io, options, keyFile)) ?? (await asked(io, `Passphrase of ${keyFile}`, keyFile));
}

/** Typed twice where nobody can read it. Throws as `passphraseOf`. */
export async function newPassphrase(io: Io, options: PassphraseOptions, keyFile: string): Promise<string> {
  const known = await given(io, options, keyFile);
  if (known !== undefined) return known;
  const first = await asked(io, `A passphrase for ${keyFile}`, keyFile);
  const again = await asked(io, 'The same again', keyFile);
  if (first !== again) throw new GatehouseError('PASSPHRASE_MISSING', { file: keyFile, problem: 'it was typed in two ways' });
  return first;
}

async function given(io: Io, { passphraseFile, passphraseEnv }: PassphraseOptions, keyFile: string): Promise<string | undefined> {
  if (passphraseFile !== undefined && passphraseEnv !== undefined) throw new GatehouseError('USAGE', { problem: 'name either --passphrase-file or --passphrase-env' });
  if (passphraseFile !== undefined) return (await readInput(io, passphraseFile)).toString('utf8').replace(/\r?\n$/, '');
  if (passphraseEnv === undefined) return undefined;
  const value = Object.hasOwn(io.env, passphraseEnv) ? io.env[passphraseEnv] : undefined;
  if (!value) throw new GatehouseError('PASSPHRASE_MISSING', { file: keyFile, problem: `the environment variable ${passphraseEnv} is ${value === undefined ? 'not set' : 'empty'}` });
  return value;
}

async function asked(io: Io, question: string, file: string): Promise<string> {
  try {
    return await io.askSecret(question);
  } catch (thrown) {
    if (thrown instanceof GatehouseError && thrown.code === 'NOT_CONFIRMED') throw new GatehouseError('PASSPHRASE_MISSING', { file, problem: 'there is no terminal to ask on' }, { cause: thrown });
    throw thrown;
  }
}
