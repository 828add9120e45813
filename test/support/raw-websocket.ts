// WebSockets as bytes: frames that no client library would send, the frames that come back, and by RFC 6455 read literally what must become of them.
import { isUtf8 } from 'node:buffer';
import { connect } from 'node:net';

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameParts {
  readonly opcode: number;
  readonly payload: Uint8Array;
  readonly fin?: boolean;
  /** The three reserved bits. */
  readonly rsv?: number;
  readonly masked?: boolean;
  /** How the length is written, whatever is needed. */
  readonly width?: 7 | 16 | 64;
  /** What the header says, when it is not the truth. */
  readonly length?: number | bigint;
}

/** One frame, as a client sends it unless told otherwise. */
export function wsFrame({ opcode, payload, fin = true, rsv = 0, masked = true, width, length = payload.length }: FrameParts): Buffer {
  const bits = width ?? (length < 126 ? 7 : length < 65_536 ? 16 : 64);
  const head = Buffer.alloc(bits === 7 ? 2 : bits === 16 ? 4 : 10);
  head[0] = (fin ? 0x80 : 0) | ((rsv & 7) << 4) | (opcode & 0x0f);
  head[1] = (masked ? 0x80 : 0) | (bits === 7 ? Math.min(Number(length), 125) : bits === 16 ? 126 : 127);
  if (bits === 16) head.writeUInt16BE(Number(length) & 0xffff, 2);
  if (bits === 64) head.writeBigUInt64BE(BigInt.asUintN(64, BigInt(length)), 2);
  if (!masked) return Buffer.concat([head, payload]);
  const key = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
  return Buffer.concat([head, key, payload.map((byte, index) => byte ^ (key[index % 4] ?? 0))]);
}

export const closeFrame = (code: number, reason: string | Uint8Array = ''): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(code);
  return wsFrame({ opcode: OPCODE.close, payload: Buffer.concat([bytes, Buffer.from(reason)]) });
};

export interface WebSocketExchange {
  /** Status of the handshake. */
  readonly status: number;
  /** Texts the server sent. */
  readonly texts: readonly string[];
  /** Payloads of its pongs, as hex. */
  readonly pongs: readonly string[];
  /** Of its close frame: 1005 when that had none; undefined when there was no such frame. */
  readonly code: number | undefined;
}

/** How long a server may take to say that it closes. */
const PATIENCE_MS = 15_000;

/**
 * Shakes hands, sends the pieces, and listens until the server closes; where it has no reason to, for as long as `quietMs` says after the last byte.
 * Rejects when its bytes are no frames, or when a close does not come.
 */
export function webSocketExchange(address: string, path: string, pieces: readonly Uint8Array[], { quietMs }: { readonly quietMs?: number } = {}): Promise<WebSocketExchange> {
  const { hostname, port, host } = new URL(address);
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    let given = false;
    const socket = connect({ host: hostname, port: Number(port), noDelay: true }, () => {
      socket.write(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
    });
    const finish = (problem?: Error) => {
      clearTimeout(timer);
      socket.destroy();
      if (problem) reject(problem);
      else attempt(resolve);
    };
    const attempt = (then: (exchange: WebSocketExchange) => void) => {
      try {
        then(read(received));
      } catch (problem) {
        reject(problem);
      }
    };
    const timer = setTimeout(() => finish(quietMs === undefined ? new Error(`the server did not close within ${PATIENCE_MS} ms`) : undefined), PATIENCE_MS);
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      attempt(({ status, code }) => {
        if (code !== undefined || (status !== 101 && given)) finish();
      });
      if (given || !received.includes('\r\n\r\n')) return;
      given = true;
      void (async () => {
        for (const piece of pieces) {
          if (!socket.writable) break;
          await new Promise<void>((written) => socket.write(piece, () => written()));
        }
        if (quietMs !== undefined) setTimeout(finish, quietMs);
      })();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => finish());
  });
}

/** Throws unless these are an HTTP answer and then whole, unmasked, unfragmented frames. */
function read(bytes: Buffer): WebSocketExchange {
  const end = bytes.indexOf('\r\n\r\n');
  const status = Number(bytes.toString('latin1', 9, 12));
  const texts: string[] = [];
  const pongs: string[] = [];
  let code: number | undefined;
  if (status !== 101) return { status, texts, pongs, code };
  for (let at = end + 4; at < bytes.length; ) {
    const first = bytes[at] ?? 0;
    const short = bytes[at + 1] ?? 0;
    if (short > 127 || (first & 0xf0) !== 0x80 || code !== undefined) throw new Error(`no frame of a server at byte ${at}: ${bytes.toString('hex', at, at + 20)}`);
    const start = at + (short === 127 ? 10 : short === 126 ? 4 : 2);
    const length = short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short === 126 ? bytes.readUInt16BE(at + 2) : short;
    const payload = bytes.subarray(start, start + length);
    if (payload.length < length) break; // cut by the end of the connection
    const opcode = first & 0x0f;
    if (opcode === OPCODE.close) code = length >= 2 ? payload.readUInt16BE(0) : 1005;
    else if (opcode === OPCODE.pong) pongs.push(payload.toString('hex'));
    else if (opcode === OPCODE.text) texts.push(payload.toString('utf8'));
    at = start + length;
  }
  return { status, texts, pongs, code };
}

export interface Verdict {
  /** `open`, or the code that the server must close with. */
  readonly outcome: number | 'open';
  /** Whole text messages before the outcome. */
  readonly messages: readonly Buffer[];
  /** Payloads that must come back as pongs, as hex. */
  readonly pongs: readonly string[];
}

/** What RFC 6455 (§5, §7.4) demands of a server without extensions that takes texts of at most `maxBytes`, and lets nothing larger than `mostBytes` arrive. */
export function verdictOn(bytes: Buffer, { maxBytes, mostBytes }: { readonly maxBytes: number; readonly mostBytes: number }): Verdict {
  const messages: Buffer[] = [];
  const pongs: string[] = [];
  let parts: Buffer[] | undefined;
  let isText = true;
  const over = (outcome: Verdict['outcome']): Verdict => ({ outcome, messages, pongs });
  for (let at = 0; ; ) {
    if (bytes.length - at < 2) return over('open');
    const first = bytes[at] ?? 0;
    const second = bytes[at + 1] ?? 0;
    const opcode = first & 0x0f;
    const fin = first >= 0x80;
    const short = second & 0x7f;
    if ((first & 0x70) !== 0) return over(1002);
    if ((opcode > 2 && opcode < 8) || opcode > 10) return over(1002);
    if (opcode >= 8 ? !fin || short > 125 || (opcode === OPCODE.close && short === 1) : (opcode === 0) !== (parts !== undefined)) return over(1002);
    if (second < 0x80) return over(1002);
    const wide = short === 127 ? 8 : short === 126 ? 2 : 0;
    if (bytes.length - at < 2 + wide) return over('open');
    const length = wide === 8 ? bytes.readBigUInt64BE(at + 2) : wide === 2 ? BigInt(bytes.readUInt16BE(at + 2)) : BigInt(short);
    const gathered = parts?.reduce((sum, each) => sum + each.length, 0) ?? 0;
    if (opcode < 8 && length + BigInt(gathered) > BigInt(mostBytes)) return over(1009);
    const start = at + 2 + wide + 4;
    const end = start + Number(length);
    if (bytes.length < end) return over('open');
    const key = bytes.subarray(start - 4, start);
    const payload = Buffer.from(bytes.subarray(start, end).map((byte, index) => byte ^ (key[index % 4] ?? 0)));
    at = end;
    if (opcode === OPCODE.ping) pongs.push(payload.toString('hex'));
    if (opcode === OPCODE.close) {
      if (payload.length === 0) return over(1005);
      const code = payload.readUInt16BE(0);
      const isKnown = (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || (code >= 3000 && code <= 4999);
      if (!isKnown) return over(1002);
      return over(isUtf8(payload.subarray(2)) ? code : 1007);
    }
    if (opcode > 2) continue;
    parts = [...(parts ?? []), payload];
    if (opcode !== 0) isText = opcode === OPCODE.text;
    if (!fin) continue;
    const message = Buffer.concat(parts);
    parts = undefined;
    if (isText && !isUtf8(message)) return over(1007);
    if (!isText) return over(1003);
    if (message.length > maxBytes) return over(1009);
    messages.push(message);
  }
}
