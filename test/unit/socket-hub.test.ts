// Frames to open sockets: what a reader missed comes before what is new, and a socket whose opening failed gets nothing.
import { describe, expect, it } from 'vitest';
import { SocketHub } from '../../host/outbound/sockets.ts';

function aSocket(hub: SocketHub, conversation = 'c') {
  const frames: string[] = [];
  const closed: number[] = [];
  const socket = hub.add('chat', conversation, { send: (text) => void frames.push(text), close: (code) => void closed.push(code) });
  return { ...socket, frames, closed };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const to = { conversation: 'c' };

describe('a socket that is being opened', () => {
  it('gets what its opening brings at once, and what came for its conversation meanwhile after it, in order', async () => {
    const hub = new SocketHub();
    const early = aSocket(hub);
    const socket = aSocket(hub);
    const opened = Promise.withResolvers<boolean>();
    socket.opening(opened.promise);
    hub.send('chat', to, 'new 1');
    hub.send('chat', to, 'new 2');
    hub.send('chat', { connection: socket.id }, 'missed');
    expect(socket.frames).toEqual(['missed']);
    expect(early.frames).toEqual(['new 1', 'new 2']);
    opened.resolve(true);
    await turn();
    hub.send('chat', to, 'new 3');
    expect(socket.frames).toEqual(['missed', 'new 1', 'new 2', 'new 3']);
    expect(hub.opened('chat', 'c')).toBeUndefined();
  });

  it('gets nothing when its opening fails: a reader that saw a later reply would not ask for the missed ones', async () => {
    const hub = new SocketHub();
    const socket = aSocket(hub);
    const opened = Promise.withResolvers<boolean>();
    socket.opening(opened.promise);
    hub.send('chat', to, 'new');
    opened.resolve(false);
    await turn();
    hub.send('chat', to, 'newer');
    expect(socket.frames).toEqual([]);
    expect(hub.size).toBe(0);
  });

  it('is closed when more waits for it than one call can bring', () => {
    const hub = new SocketHub();
    const socket = aSocket(hub);
    socket.opening(new Promise(() => undefined));
    for (let count = 0; count < 2000; count += 1) hub.send('chat', to, 'flood');
    expect(socket.frames).toEqual([]);
    expect(socket.closed).toContain(1013);
  });

  it('keeps deliveries of its conversation waiting, and of no other', async () => {
    const hub = new SocketHub();
    const opened = Promise.withResolvers<boolean>();
    aSocket(hub).opening(opened.promise);
    aSocket(hub, 'd');
    expect(hub.opened('chat', 'd')).toBeUndefined();
    const waiting = hub.opened('chat', 'c');
    opened.resolve(true);
    await waiting;
    expect(hub.opened('chat', 'c')).toBeUndefined();
  });
});
