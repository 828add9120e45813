// A DNS server on loopback (RFC 1035, as much as one address takes): answers A questions as the test says, or stays silent, and keeps what it was asked.
import { createSocket } from 'node:dgram';

export interface NameServer extends AsyncDisposable {
  /** `127.0.0.1:<port>`. */
  readonly address: string;
  /** Names that were asked for, each question once for A and once for AAAA. */
  readonly asked: readonly string[];
}

const TYPE_A = 1;

/** `answer` gives the IPv4 addresses of a name, none for a name that does not have any, undefined for silence. */
export async function nameServer(answer: (name: string) => readonly string[] | undefined): Promise<NameServer> {
  const socket = createSocket('udp4');
  const asked: string[] = [];
  socket.on('message', (query, peer) => {
    const { name, end } = nameAt(query, 12);
    asked.push(name);
    const addresses = answer(name);
    if (!addresses) return;
    const isA = query.readUInt16BE(end) === TYPE_A;
    const records = (isA ? addresses : []).map((address) => Buffer.from([0xc0, 12, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]));
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(0x8180, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    head.writeUInt32BE(0, 8);
    socket.send(Buffer.concat([head, query.subarray(12, end + 4), ...records]), peer.port, peer.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    [Symbol.asyncDispose]: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

function nameAt(query: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}
