// WebSockets of channels: bounded in number, in frame size and in what a slow reader may leave unread; the silent are dropped. Called by routes/channels.ts.
import type { WebSocket } from '@fastify/websocket';
import { BOUNDS } from '../../schemas/bounds.ts';
import { GatehouseError } from '../errors.ts';
import type { ChannelFace, SocketSession } from '../host.ts';
import type { Log } from '../log.ts';

export interface SocketLimits {
  readonly perInstance: number;
  /** Tabs and devices of one conversation; one guest is to keep no other out. */
  readonly perConversation: number;
  /** Of one address on one instance. */
  readonly perAddress: number;
  /** A socket that has not answered the previous ping when the next is due is dropped. */
  readonly pingMs: number;
  /** Bytes a peer may leave unread before its socket is cut. */
  readonly unreadBytes: number;
  /** How long a peer may take to answer a close. */
  readonly closeMs: number;
}

export const SOCKET_LIMITS: SocketLimits = { perInstance: BOUNDS.socketsPerInstance, perConversation: BOUNDS.socketsPerConversation, perAddress: BOUNDS.socketsPerAddress, pingMs: 30_000, unreadBytes: 1024 * 1024, closeMs: 1000 };

// RFC 6455 §7.4.1
const GOING_AWAY = 1001;
const UNSUPPORTED_DATA = 1003;
const POLICY_VIOLATION = 1008;
const TOO_BIG = 1009;
const INTERNAL = 1011;
/** Come again: https://www.iana.org/assignments/websocket */
const SERVICE_RESTART = 1012;
/** Longer reasons do not fit a control frame (RFC 6455 §5.5). */
const REASON_CHARACTERS = 100;

/** No frame is larger on any channel: the manifest's schema says so. */
const FRAME_BYTES = 1024 * 1024;
/** Each piece costs the host some 200 bytes beside its content: a frame of single bytes would cost two hundred times its size. */
const PIECES = 4096;
const FRAGMENTS = 1024;

/** What the WebSocket library is told. No compression: a small frame would not stay small. */
export const handshakeOptions = ({ closeMs }: SocketLimits) => ({ maxPayload: FRAME_BYTES, maxBufferedChunks: PIECES, maxFragments: FRAGMENTS, perMessageDeflate: false, closeTimeout: closeMs });

/** What a socket is counted by. */
export interface SocketOwner {
  readonly instance: string;
  readonly conversation: string;
  /** As `senderOf` says. */
  readonly sender: string | undefined;
}

export interface OpenSocket {
  readonly face: ChannelFace;
  readonly sender: string | undefined;
  readonly maxFrameBytes: number;
  readonly conversation: string;
  readonly query: Record<string, string>;
  /** Asked once it is open, and with every ping: a socket does not outlive the right to it. */
  readonly stillMay: () => Promise<boolean>;
}

export interface Sockets {
  /** Throws SOCKETS_FULL; asked before the handshake, so that a refusal is an HTTP answer. */
  requireRoom(owner: SocketOwner): void;
  /** Joins an open WebSocket to its channel until either ends. */
  attach(socket: WebSocket, open: OpenSocket): Promise<void>;
  /** Ends every socket; whoever still may is welcome to come again. */
  restart(): void;
  /** Tells every peer that the host goes away; ends those that do not answer in time. */
  close(): Promise<void>;
}

interface Bound {
  readonly key: string;
  readonly most: number;
  readonly whose: string;
}

interface Peer {
  answered: boolean;
  readonly stillMay: OpenSocket['stillMay'];
}

export function createSockets(log: Log, limits: SocketLimits): Sockets {
  const open = new Map<WebSocket, Peer>();
  const counts = new Map<string, number>();
  let emptied: (() => void) | undefined;

  const keepalive = setInterval(() => {
    for (const [socket, peer] of open) {
      if (!peer.answered) socket.terminate();
      else {
        peer.answered = false;
        socket.ping();
        void lookAgain(socket, peer);
      }
    }
  }, limits.pingMs).unref();

  /** Who cannot be asked about now is asked about again with the next ping. */
  const lookAgain = async (socket: WebSocket, { stillMay }: Peer) => {
    if (!(await stillMay().catch(() => true))) socket.close(POLICY_VIOLATION, 'no longer let in');
  };

  const boundsOf = ({ instance, conversation, sender = '' }: SocketOwner): readonly Bound[] => [
    { key: instance, most: limits.perInstance, whose: 'everybody' },
    { key: `${instance}\nconversation ${conversation}`, most: limits.perConversation, whose: 'this conversation' },
    { key: `${instance}\naddress ${sender}`, most: limits.perAddress, whose: 'this address' },
  ];

  const enter = (socket: WebSocket, { face: { instance }, conversation, sender, stillMay }: OpenSocket) => {
    const peer: Peer = { answered: true, stillMay };
    open.set(socket, peer);
    const bounds = boundsOf({ instance, conversation, sender });
    for (const { key } of bounds) counts.set(key, (counts.get(key) ?? 0) + 1);
    socket.on('pong', () => {
      peer.answered = true;
    });
    socket.once('close', () => {
      open.delete(socket);
      for (const { key } of bounds) {
        const left = (counts.get(key) ?? 1) - 1;
        if (left > 0) counts.set(key, left);
        else counts.delete(key);
      }
      if (open.size === 0) emptied?.();
    });
    return peer;
  };

  return {
    requireRoom(owner) {
      for (const { key, most, whose } of boundsOf(owner)) {
        const depth = counts.get(key) ?? 0;
        if (depth >= most) throw new GatehouseError('SOCKETS_FULL', { instance: owner.instance, depth, whose });
      }
    },

    async attach(socket, opening) {
      const { face, maxFrameBytes, conversation, query } = opening;
      const peer = enter(socket, opening);
      // Until the channel knows the socket nothing is read from it: frames wait in the peer's own buffers, not in ours.
      socket.pause();
      let session: SocketSession | undefined;
      let gone = false;
      socket.on('close', () => {
        gone = true;
        session?.closed();
      });
      socket.on('message', (data, isBinary) => {
        if (isBinary || !Buffer.isBuffer(data)) socket.close(UNSUPPORTED_DATA, 'text frames only');
        else if (data.length > maxFrameBytes) socket.close(TOO_BIG, `a frame may have ${maxFrameBytes} bytes`);
        else session?.frame(data.toString());
      });
      try {
        session = await face.socket({
          conversation,
          query,
          send(text) {
            if (socket.bufferedAmount > limits.unreadBytes) {
              log.warn({ instance: face.instance, unreadBytes: socket.bufferedAmount }, 'socket cut: its peer does not read');
              socket.terminate();
            } else if (socket.readyState === socket.OPEN) socket.send(text);
          },
          close: (code, reason) => socket.close(code, reason.slice(0, REASON_CHARACTERS)),
        });
      } catch (thrown) {
        log.warn({ instance: face.instance, err: thrown }, 'socket refused by its channel');
        socket.close(INTERNAL, 'the channel could not open the conversation');
        socket.resume();
        return;
      }
      if (gone) {
        session.closed();
        return;
      }
      // What was revoked while it was being opened was not there to be ended.
      await lookAgain(socket, peer);
      socket.resume();
    },

    restart() {
      for (const socket of open.keys()) socket.close(SERVICE_RESTART, 'certificates have changed');
    },

    async close() {
      clearInterval(keepalive);
      if (open.size === 0) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      emptied = resolve;
      for (const socket of open.keys()) socket.close(GOING_AWAY, 'the host is stopping');
      const late = setTimeout(() => {
        for (const socket of open.keys()) socket.terminate();
      }, limits.closeMs);
      await promise;
      clearTimeout(late);
    },
  };
}
