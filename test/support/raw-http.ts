// HTTP as bytes: sends what no client would, and reads the answers with a parser that shares nothing with the server's.
import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface Exchange {
  readonly answers: readonly RawAnswer[];
  /** Everything that came back. */
  readonly received: Buffer;
  /** The peer reset the connection instead of closing it. */
  readonly reset: boolean;
}

const PATIENCE_MS = 4000;
/** So long nothing may come before the client gives up on more. */
const QUIET_MS = 200;

export interface Patience {
  /** Until the connection must have been closed. */
  readonly patienceMs?: number;
  /** So long nothing may come, once something has. */
  readonly quietMs?: number;
  /** The same before the first answer. Default as `quietMs`. */
  readonly firstMs?: number;
}


/** Sends the pieces one by one, says that nothing follows once nothing more comes back, and reads until the connection is closed. Rejects when the server never closes it. */
export function exchange(address: string, pieces: readonly Uint8Array[], { patienceMs = PATIENCE_MS, quietMs = QUIET_MS, firstMs = quietMs }: Patience = {}): Promise<Exchange> {
  const { hostname, port } = new URL(address);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let reset = false;
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true, noDelay: true }, () => {
      void (async () => {
        for (const piece of pieces) {
          if (!socket.writable) break;
          await new Promise<void>((written) => socket.write(piece, () => written()));
        }
        quiet.refresh();
      })();
    });
    let quiet = setTimeout(() => socket.end(), firstMs);
    const late = setTimeout(() => {
      socket.destroy();
      reject(new Error(`the server did not close the connection within ${patienceMs} ms; it said: ${Buffer.concat(chunks).toString('latin1').slice(0, 500)}`));
    }, patienceMs);
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      clearTimeout(quiet);
      quiet = setTimeout(() => socket.end(), quietMs);
    });
    socket.on('end', () => socket.end());
    socket.on('error', () => (reset = true));
    socket.on('close', () => {
      clearTimeout(late);
      clearTimeout(quiet);
      const received = Buffer.concat(chunks);
      try {
        resolve({ answers: answersIn(received), received, reset });
      } catch (problem) {
        reject(problem);
      }
    });
  });
}

/** Throws when the bytes are not a sequence of whole HTTP/1.1 answers; the last may be cut by the end of the connection. */
export function answersIn(bytes: Buffer): RawAnswer[] {
  const answers: RawAnswer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf('\r\n\r\n', at);
    const head = bytes.toString('latin1', at, end);
    const [statusLine = '', ...lines] = head.split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) [\x20-\x7e]*$/.exec(statusLine)?.[1]);
    if (end < 0 || Number.isNaN(status)) throw new Error(`no HTTP answer at byte ${at}: ${JSON.stringify(bytes.toString('latin1', at, at + 200))}`);
    const headers = new Map(lines.map((line): [string, string] => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
    const start = end + 4;
    if (status === 101) return [...answers, { status, headers, body: bytes.toString('latin1', start) }];
    const { body, next } = bodyAt(bytes, start, status, headers);
    answers.push({ status, headers, body });
    at = next;
  }
  return answers;
}

function bodyAt(bytes: Buffer, start: number, status: number, headers: ReadonlyMap<string, string>): { readonly body: string; readonly next: number } {
  if (status < 200 || status === 204 || status === 304) return { body: '', next: start };
  if (headers.get('transfer-encoding') === 'chunked') {
    if (isAnswer(bytes, start)) return { body: '', next: start };
    const parts: string[] = [];
    for (let at = start; ; ) {
      const lineEnd = bytes.indexOf('\r\n', at);
      const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
      if (lineEnd < 0 || Number.isNaN(size)) throw new Error(`no chunk at byte ${at}`);
      parts.push(bytes.toString('utf8', lineEnd + 2, lineEnd + 2 + size));
      at = lineEnd + 2 + size + 2;
      if (size === 0) return { body: parts.join(''), next: at };
    }
  }
  const length = Number(headers.get('content-length') ?? bytes.length - start);
  // An answer to HEAD has a length and no body.
  if (length > 0 && (start === bytes.length || isAnswer(bytes, start))) return { body: '', next: start };
  return { body: bytes.toString('utf8', start, start + length), next: start + length };
}

const isAnswer = (bytes: Buffer, at: number) => bytes.toString('latin1', at, at + 9) === 'HTTP/1.1 ';
