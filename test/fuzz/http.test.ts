// HTTP ingress, whatever bytes arrive: raw sockets against a running host with its public channels.
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
    expect((await open.gatehouse.fetch('/readyz')).status).toBe(200);
  });
});
