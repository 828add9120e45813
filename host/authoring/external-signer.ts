// A signature by a command of the reviewer's: a smart card, an agent, a key server. Used by `approve --signer`.
import { spawn } from 'node:child_process';
import { basename } from 'node:path';
import { GatehouseError, problemOf } from '../errors.ts';
import { decodeBase64 } from '../trust/keys.ts';

export interface ExternalSigner {
  /** A program and its arguments, parted by spaces; quotes hold one together. No shell reads it. */
  readonly command: string;
  readonly timeoutMs: number;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

const ANSWER_BYTES = 4096;

/**
 * Gives the command the exact bytes on stdin and takes one base64 signature of 64 bytes from stdout; its stderr is the person's, who may be asked for a PIN there. It and what it
 * started are ended at the deadline. Throws SIGNER_FAILED. Whose signature it is, is for the caller to find out.
 */
export async function signExternally({ command, timeoutMs, cwd, env }: ExternalSigner, message: Uint8Array): Promise<Buffer> {
  const [program, ...args] = wordsOf(command);
  const fail = (problem: string, cause?: unknown) => new GatehouseError('SIGNER_FAILED', { command: basename(program ?? ''), problem }, { cause });
  if (program === undefined) throw fail('it names no program');
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn(program, args, { cwd, env, stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  const end = (error: GatehouseError) => {
    // All of its process group: a script that waits for a card reader is not the reader.
    if (child.pid !== undefined) tryKill(-child.pid);
    reject(error);
  };
  const timer = setTimeout(() => end(fail(`it gave no answer within ${timeoutMs / 1000} s`)), timeoutMs);
  const answer: Buffer[] = [];
  let size = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > ANSWER_BYTES) end(fail(`it printed more than ${ANSWER_BYTES} bytes`));
    else answer.push(chunk);
  });
  child.stdin.on('error', () => undefined); // it may know enough before it has read all; what it answers is judged
  child.on('error', (error) => end(fail(`it cannot be run (${problemOf(error)})`, error)));
  child.on('close', (code, signal) => (code === 0 ? resolve(Buffer.concat(answer).toString('latin1')) : end(fail(signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`))));
  child.stdin.end(message);
  try {
    const signature = decodeBase64((await promise).trim());
    if (signature?.length !== 64) throw fail('it printed something else than one base64 signature of 64 bytes');
    return signature;
  } finally {
    clearTimeout(timer);
  }
}

/** `sign --slot "my card"` → sign, --slot, my card. */
function wordsOf(command: string): string[] {
  return [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, bare]) => double ?? single ?? bare ?? '');
}

function tryKill(group: number): void {
  try {
    process.kill(group, 'SIGKILL');
  } catch {
    // gone already
  }
}
