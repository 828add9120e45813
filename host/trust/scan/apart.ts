// Looks through a big package in a process of its own: the parser's time and memory grow with what it is given, and hostile code makes the most of that. Called by scan.ts; the other side is apart-main.ts.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Type } from 'typebox';
import { ScanFinding } from '../../../schemas/scan.ts';
import { compileSchema } from '../../schema.ts';
import type { Content } from './finding.ts';
import { unscanned } from './look.ts';

/** Twice what ordinary code of 16 MiB takes on a machine that has much to do. */
const BOUNDS = { deadlineMs: 20_000, heapMb: 1536 };
/** Findings are bounded; more is not an answer. */
const MOST_ANSWER_BYTES = 1024 * 1024;

const answer = compileSchema(Type.Array(ScanFinding, { maxItems: 1000 }));
const MAIN = join(import.meta.dirname, import.meta.filename.endsWith('.ts') ? 'apart-main.ts' : 'apart-main.js');

/**
 * Never rejects: what takes too long or too much is a finding. The process ends with its answer, at the deadline, or with this host, whose end closes its input.
 * Each may take much memory: whoever has many packages lets one follow the other.
 */
export function lookApart({ files, manifest }: Content, { deadlineMs, heapMb } = BOUNDS): Promise<readonly ScanFinding[]> {
  return new Promise((resolve) => {
    // No environment: nothing in it is the child's business. Code of the package is parsed there and never run.
    const child = spawn(process.execPath, [`--max-old-space-size=${heapMb}`, '--no-warnings', MAIN], { env: {}, stdio: ['pipe', 'pipe', 'ignore'] });
    const parts: Buffer[] = [];
    let bytes = 0;
    let isLate = false;
    const deadline = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, deadlineMs);
    const settle = (findings: readonly ScanFinding[]) => {
      clearTimeout(deadline);
      resolve(findings);
    };
    child.stdout.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes > MOST_ANSWER_BYTES) child.kill('SIGKILL');
      else parts.push(part);
    });
    child.on('error', () => settle([unscanned('scanner', 'the process that looks through big packages could not be started')]));
    child.on('close', () => settle(answerIn(Buffer.concat(parts)) ?? [unscanned('scanner', isLate ? `that took longer than ${deadlineMs / 1000} s` : `that took more than ${heapMb} MiB of memory, or ended the process that did it`)]));
    child.stdin.on('error', () => child.kill('SIGKILL')); // it ended before it had read everything; its end is told by `close`
    child.stdin.end(packed(files, manifest));
  });
}

/** `[header length, 4 bytes][header, JSON][bytes of the files one after another]`. */
function packed(files: Content['files'], manifest: Content['manifest']): Buffer {
  const header = Buffer.from(JSON.stringify({ manifest, files: Array.from(files, ([name, content]) => [name, content.length]) }));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(header.length);
  return Buffer.concat([length, header, ...files.values()]);
}

/** Undefined for anything that is not a whole answer. */
function answerIn(bytes: Buffer): readonly ScanFinding[] | undefined {
  try {
    const read: unknown = JSON.parse(bytes.toString('utf8'));
    return answer.is(read) ? read : undefined;
  } catch {
    return undefined; // the process was ended; the caller says so
  }
}
