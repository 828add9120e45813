// Every kept input, again: what was once found, and what the field knows to be hostile, must meet the verdict that stands beside it.
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { refusalOf as egressRefusalOf, targetOf } from '../../host/egress/target.ts';
import { readEnablement } from '../../host/registry/enablement-file.ts';
import { readChildFrame } from '../../host/sandbox/child-frames.ts';
import { FrameDecoder, FrameProblem } from '../../host/sandbox/frames.ts';
import { compilePluginSchema } from '../../host/schema.ts';
import { parseStrict } from '../../host/strict-json.ts';
import { readEnvelope } from '../../host/trust/dsse.ts';
import { readManifest } from '../../host/trust/manifest.ts';
import { readPackage } from '../../host/trust/package.ts';
import { bytesOf, casesOf, corpusDoors, filesOf, verdictOf, type CorpusCase } from '../support/corpus.ts';
import { expectDocumented, openDoor, type OpenDoor } from '../support/open-door.ts';
import { exchange } from '../support/raw-http.ts';
import { webSocketExchange } from '../support/raw-websocket.ts';
import { tempDir } from '../support/temp.ts';

let opened: Promise<OpenDoor> | undefined;
/** One running host for all that needs one. */
const running = () => (opened ??= openDoor());
afterAll(async () => (await opened)?.[Symbol.asyncDispose]());

/** How an input goes through each door, and what its verdict is called: `accepted` or an error code, unless said otherwise. */
const JUDGES: Readonly<Record<string, (bytes: Buffer, row: CorpusCase) => Promise<string>>> = {
  'strict-json': (bytes) => verdictOf(() => parseStrict(bytes, { source: 'the text', maxBytes: 4096, maxDepth: 8 })),
  manifest: (bytes) => verdictOf(() => readManifest(bytes, 'plugin.json')),
  enablement: (bytes) => verdictOf(() => readEnablement(bytes, 'manifests/plugins/x.json')),
  dsse: (bytes) => verdictOf(() => readEnvelope(bytes, 'the package')),
  'plugin-schema': (bytes) => verdictOf(() => compilePluginSchema(JSON.parse(bytes.toString()), { role: 'output', source: 'outputSchema' })),

  async archive(bytes, { file }) {
    await using dir = await tempDir();
    await writeFile(join(dir.path, file), bytes);
    return await verdictOf(() => readPackage(join(dir.path, file)));
  },

  /** What a sandbox writes: `accepted` when every frame in it is believed, else `refused`. */
  async frames(bytes) {
    try {
      new FrameDecoder((text) => void readChildFrame(text)).push(bytes);
      return 'accepted';
    } catch (thrown) {
      if (thrown instanceof FrameProblem) return 'refused';
      throw thrown;
    }
  },

  /** A URL, fetched by a plugin that is granted https://api.acme.com and private addresses it should not have: `granted` or `refused`. */
  async egress(bytes) {
    const target = targetOf(bytes.toString());
    const origins = ['https://api.acme.com', 'https://127.0.0.1', 'https://[::1]', 'https://169.254.169.254', 'https://10.0.0.1', 'https://localhost.evil.com'];
    return typeof target === 'string' || egressRefusalOf(target, 'GET', [{ origins, methods: ['GET'] }], []) !== undefined ? 'refused' : 'granted';
  },

  /** The bytes of one connection; the statuses of its answers in order, or `closed`. */
  async http(bytes) {
    const { address, healthy } = await running();
    const { answers } = await exchange(address, [bytes], { firstMs: 2000 });
    answers.forEach(expectDocumented);
    await healthy();
    return answers.length === 0 ? 'closed' : answers.map(({ status }) => status).join(' ');
  },

  /** What a client sends after its handshake; the code the server closes with, or `open`. */
  async websocket(bytes, { verdict }) {
    const { address, healthy } = await running();
    const { code } = await webSocketExchange(address, `/channels/webchat/ws?conversation=${randomBytes(24).toString('base64url')}`, [bytes], verdict === 'open' ? { quietMs: 400 } : {}); // what never closes is not waited for
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
      expect(await JUDGES[door]?.(bytesOf(door, row), row)).toBe(row.verdict);
    });
  });
});
