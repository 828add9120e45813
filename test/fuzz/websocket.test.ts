// WebSocket frames, whatever they are: held against RFC 6455 read literally, with the real web chat behind them.
import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aHome } from '../support/home.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { fuzzDoor } from '../support/fuzz.ts';
import { openDoor, type OpenDoor } from '../support/open-door.ts';
import { OPCODE, closeFrame, verdictOn, webSocketExchange, wsFrame } from '../support/raw-websocket.ts';
import { cuts, inPieces } from './arbitraries/bytes.ts';
import { webSocketBytes } from './arbitraries/websocket.ts';

const door = fuzzDoor('websocket');
/** What the manifest of the web chat and the control plane say. */
const BOUNDS = { maxBytes: 131_072, mostBytes: 1_048_576 };

let open: OpenDoor;
beforeAll(async () => {
  open = await openDoor();
});
afterAll(() => open[Symbol.asyncDispose]());

const path = () => `/channels/webchat/ws?conversation=${randomBytes(24).toString('base64url')}`;

describe('WebSocket frames, whatever they are', () => {
  it('end as RFC 6455 says, or are answered in the words of the web chat', async () => {
    const client = fc.tuple(webSocketBytes, cuts(4));
    await door.holds({ runs: 50, given: fc.array(client, { minLength: 1, maxLength: 16, size: 'max' }) }, async (clients) => {
      door.tried(clients.length - 1);
      await Promise.all(clients.map(async ([bytes, places]) => {
        // The last word is a close: whoever still listens must answer it.
        const sent = Buffer.concat([bytes, closeFrame(4321)]);
        const expected = verdictOn(sent, BOUNDS);
        const { status, texts, pongs, code } = await webSocketExchange(open.address, path(), inPieces(sent, places), expected.outcome === 'open' ? { quietMs: 100 } : {});
        expect({ status, outcome: code ?? 'open' }).toEqual({ status: 101, outcome: expected.outcome });
        expect(expected.pongs.slice(0, pongs.length)).toEqual(pongs);
        expect(texts.map((text) => (JSON.parse(text) as { type: string }).type).filter((type) => !['ack', 'message', 'error', 'more'].includes(type))).toEqual([]);
      }));
      await open.healthy();
    });
    await open.deserted();
  });
});

describe('WebSockets that take their time or hurry', () => {
  it('are cut when a message comes in too many fragments', async () => {
    const fragments = Array.from({ length: 1100 }, (_, index) => wsFrame({ opcode: index === 0 ? OPCODE.text : OPCODE.continuation, payload: Buffer.from('x'), fin: false }));
    expect((await webSocketExchange(open.address, path(), [Buffer.concat(fragments)])).code).toBe(1008);
  });

  it('are cut when more waits for the channel than the host will keep', async () => {
    await using home = await aHome();
    const socket = { path: '/ws', conversation: { query: 'c' }, origin: 'any', maxFrameBytes: 200_000 };
    const source = `gatehouse.register({ kind: 'channel', handlers: { receive: async (request, ctx) => { if (request.kind === 'frame') await ctx.sleep(1500); return {}; }, send: async () => ({ actions: [] }) } });`;
    await home.add({ name: 'busy', kind: 'channel', source, manifest: { channel: { abilities: ['receive', 'send'], ingress: [], socket } } as never });
    await using gatehouse = await startGatehouse(home);
    const frames = (count: number, size: number) => Buffer.concat(Array.from({ length: count }, () => wsFrame({ opcode: OPCODE.text, payload: Buffer.alloc(size, 'x') })));
    const codeFor = async (bytes: Buffer, quietMs?: number) => (await webSocketExchange(gatehouse.address, '/channels/busy/ws?c=1', [bytes], quietMs === undefined ? {} : { quietMs })).code;
    expect(await codeFor(frames(3, 190_000))).toBe(1013);
    expect(await codeFor(frames(70, 10))).toBe(1013);
    expect(await codeFor(frames(20, 1000), 300)).toBeUndefined();
  });
});
