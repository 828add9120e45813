// HTTP ingress, whatever bytes arrive: raw sockets against a running host with its public channels.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callHttp } from '../support/control-plane.ts';
import { WEBHOOK_SECRET } from '../support/first-party.ts';
import { fuzzDoor } from '../support/fuzz.ts';
import { expectDocumented, openDoor, type OpenDoor } from '../support/open-door.ts';
import { exchange } from '../support/raw-http.ts';
import { cuts, inPieces } from './arbitraries/bytes.ts';
import { httpBytes } from './arbitraries/http.ts';

const door = fuzzDoor('http');
let open: OpenDoor;
beforeAll(async () => {
  open = await openDoor();
});
afterAll(() => open[Symbol.asyncDispose]());

describe('HTTP, whatever bytes arrive', () => {
  it('is answered as documented or not at all, and the host goes on answering', async () => {
    const last = Buffer.from('GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n');
    const connection = fc.tuple(httpBytes({ authority: '127.0.0.1', secret: WEBHOOK_SECRET }), cuts(4));
    // Many at once: most wait for something. One that breaks the property is found by making the list shorter.
    await door.holds({ runs: 120, given: fc.array(connection, { minLength: 1, maxLength: 16, size: 'max' }) }, async (connections) => {
      door.tried(connections.length - 1);
      await Promise.all(connections.map(async ([bytes, places]) => {
        const { answers } = await exchange(open.address, [...inPieces(bytes, places), last]);
        answers.forEach(expectDocumented);
      }));
      await open.healthy();
    });
    await open.deserted();
    expect((await callHttp(open.address, 'GET', '/readyz')).status).toBe(200);
  });
});

describe('a host under bad input', () => {
  it('keeps its memory: after thousands of broken connections the heap is what it was', async () => {
    const inputs = fc.sample(httpBytes({ authority: '127.0.0.1', secret: WEBHOOK_SECRET }), { numRuns: 400, seed: 11 });
    const round = async () => {
      for (let at = 0; at < inputs.length; at += 40) await Promise.all(inputs.slice(at, at + 40).map((bytes) => exchange(open.address, [bytes]).catch(() => undefined)));
      door.tried(inputs.length);
      await open.deserted();
      return heapAfterCollection();
    };
    const warm = await round();
    const rounds = [await round(), await round(), await round()];
    // A leak of a kilobyte a connection would be 1.2 MB by now.
    expect(Math.min(...rounds) / warm).toBeLessThan(1.25);
    expect((rounds.at(-1) ?? 0) - warm).toBeLessThan(16 * 1024 * 1024);
  });
});

function heapAfterCollection(): number {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

/** The collector, which Node shows only on request. */
const collect = (() => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
})();
