// A running Gatehouse with its public channels, whose doors are tried: what must hold after every input, and when all is over.
import { expect } from 'vitest';
import { ERRORS } from '../../host/errors.ts';
import { callHttp } from './control-plane.ts';
import { eventually } from './eventually.ts';
import { addFirstParty, addWebhook } from './first-party.ts';
import { startGatehouse, type Gatehouse } from './gatehouse.ts';
import { aHome } from './home.ts';
import type { RawAnswer } from './raw-http.ts';

export interface OpenDoor extends AsyncDisposable {
  readonly gatehouse: Gatehouse;
  readonly address: string;
  /** `Host` of it. */
  readonly authority: string;
  /** It still answers. */
  readonly healthy: () => Promise<void>;
  /** No connection is left. */
  readonly deserted: () => Promise<void>;
}

/** Webhook, webchat and echo, on a port of its own. */
export async function openDoor(): Promise<OpenDoor> {
  await using parts = new AsyncDisposableStack();
  const home = parts.use(await aHome());
  await addWebhook(home, { admit: { senderPerSecond: 1_000_000, senderBurst: 1_000_000 } });
  await addFirstParty(home, 'webchat', { admit: { senderPerSecond: 1_000_000, senderBurst: 1_000_000 } });
  await addFirstParty(home, 'echo', { order: 1 });
  const before = connections();
  const gatehouse = parts.use(await startGatehouse(home));
  const stack = parts.move();
  return {
    gatehouse,
    address: gatehouse.address,
    authority: new URL(gatehouse.address).host,
    async healthy() {
      expect(await callHttp(gatehouse.address, 'GET', '/healthz')).toMatchObject({ status: 200, json: { live: true } });
    },
    deserted: () => eventually(() => expect(connections()).toBeLessThanOrEqual(before)),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Open TCP connections of this process, of both sides. */
const connections = () => process.getActiveResourcesInfo().filter((each) => each === 'TCPSocketWrap').length;

/** What every answer of the host is, whatever was asked: a success, or a problem with a code that the documentation lists. */
export function expectDocumented({ status, headers, body }: RawAnswer): void {
  const isProblem = status >= 400;
  expect([100, 101, 200, 202, 204, 301, 302, 304, 308, 400, 401, 403, 404, 405, 408, 409, 411, 413, 414, 415, 417, 421, 422, 426, 429, 431, 503, 505]).toContain(status);
  expect([status, isProblem ? headers.get('content-type') : 'application/problem+json']).toEqual([status, expect.stringMatching(/^application\/problem\+json/)]);
  const problem = isProblem && body !== '' ? (JSON.parse(body) as { readonly status: number; readonly code: string }) : { status, code: 'INTERNAL' };
  expect(problem.status).toBe(status);
  expect(Object.keys(ERRORS)).toContain(problem.code);
}
