// Every kept input, again: what was once found, and what the field knows to be hostile, must meet the verdict that stands beside it.
import { randomBytes } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import { parseStrict } from '../../host/strict-json.ts';
import { bytesOf, casesOf, corpusDoors, filesOf, verdictOf } from '../support/corpus.ts';
import { expectDocumented, openDoor, type OpenDoor } from '../support/open-door.ts';
import { exchange } from '../support/raw-http.ts';
import { webSocketExchange } from '../support/raw-websocket.ts';

let opened: Promise<OpenDoor> | undefined;
/** One running host for all that needs one. */
const running = () => (opened ??= openDoor());
afterAll(async () => (await opened)?.[Symbol.asyncDispose]());

/** How an input goes through each door, and what its verdict is called. */
const JUDGES: Readonly<Record<string, (bytes: Buffer, file: string) => Promise<string>>> = {
  'strict-json': (bytes) => verdictOf(() => parseStrict(bytes, { source: 'the text', maxBytes: 4096, maxDepth: 8 })),

  /** The bytes of one connection; the statuses of its answers in order, or `closed`. */
  async http(bytes) {
    const { address, healthy } = await running();
    const { answers } = await exchange(address, [bytes]);
    answers.forEach(expectDocumented);
    await healthy();
    return answers.length === 0 ? 'closed' : answers.map(({ status }) => status).join(' ');
  },

  /** What a client sends after its handshake; the code the server closes with, or `open`. */
  async websocket(bytes) {
    const { address, healthy } = await running();
    const { code } = await webSocketExchange(address, `/channels/webchat/ws?conversation=${randomBytes(24).toString('base64url')}`, [bytes], { quietMs: 400 });
    await healthy();
    return code === undefined ? 'open' : String(code);
  },
};

describe('corpora', () => {
  it('have a judge each', () => {
    expect(corpusDoors()).toEqual(Object.keys(JUDGES).toSorted());
  });

  describe.each(corpusDoors())('%s', (door) => {
    it('names each of its files once', () => {
      expect(casesOf(door).map(({ file }) => file).toSorted()).toEqual(filesOf(door));
    });

    it.concurrent.each(casesOf(door))('$file: $verdict', async (row) => {
      expect(await JUDGES[door]?.(bytesOf(door, row), row.file)).toBe(row.verdict);
    });
  });
});
