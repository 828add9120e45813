// Credentials that come with requests, in every place of one: headers, query, body, path. Whatever the host then writes, says or counts is searched for them.
// One value goes along that may be seen, as the label of a token: where that is not found, the search is blind, and the test fails.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Watch } from '../support/canary.ts';
import { callHttp } from '../support/control-plane.ts';
import { DOOR } from '../support/door.ts';
import { eventually } from '../support/eventually.ts';
import { aHome } from '../support/home.ts';
import { startProcess } from '../support/process.ts';

const secret = () => randomBytes(32).toString('base64url');

interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

describe('a credential in a request', () => {
  it('attack g199 leave-it-lying: is in no log, event, metric, refusal or audit entry, wherever it was put', async () => {
    await using home = await aHome([DOOR], { log: { level: 'debug' }, network: { trustedProxies: ['127.0.0.1'] } });
    let log = '';
    await using host = await startProcess(home.path, [], undefined, { onSpawn: ({ stderr }) => stderr?.on('data', (chunk: Buffer) => (log += chunk.toString())) });
    const admin = (await readFile(join(home.path, 'data/admin-token'), 'utf8')).trim();
    const [, id = '', proof = ''] = /^ght_([0-9a-f]{16})_(.+)$/.exec(admin) ?? [];
    /** `stolen`: a token by its shape, wrong; `guess`: the name of the right one with another proof. */
    const values = { admin: proof, stolen: secret(), guess: secret(), cookie: secret(), key: secret(), text: secret(), seen: `seen-${secret()}` };
    const stolen = `ght_${randomBytes(8).toString('hex')}_${values.stolen}`;
    const guess = `ght_${id}_${values.guess}`;
    const watch = new Watch(values);

    let asked = 0;
    const answers: Record<string, string[]> = {};
    const ask = async (method: string, path: string, headers: Record<string, string> = {}, body?: string) => {
      asked += 1;
      // Each from an address of its own, so that nobody is locked out.
      const from = `10.${asked >> 8}.${asked & 255}.1`;
      const answer = await callHttp(host.address, method, path, { headers: { 'x-forwarded-for': from, ...headers }, ...(body === undefined ? {} : { body }) });
      // Of what is no refusal the body may hold what was asked for: a label, a text.
      const said = JSON.stringify(answer.headers) + (answer.status >= 400 ? answer.text : '');
      (answers[`${answer.status >= 400 ? 'refusal' : 'answer'} ${method} ${path.split('/')[1]}`] ??= []).push(said);
      return answer;
    };

    let events = '';
    const stream = new AbortController();
    const followed = await fetch(`${host.address}/api/v1/events`, { headers: { authorization: `Bearer ${admin}` }, signal: stream.signal });
    const reading = (async () => {
      for await (const chunk of followed.body ?? []) events += Buffer.from(chunk).toString();
    })().catch(() => undefined);

    const NAMES = ['user-agent', 'referer', 'origin', 'accept', 'accept-language', 'if-match', 'if-none-match', 'idempotency-key', 'last-event-id', 'x-request-id', 'traceparent', 'tracestate', 'baggage', 'x-forwarded-host', 'forwarded', 'x-api-key', 'proxy-authorization', 'range', 'content-type', 'x-gatehouse-signature'] as const;
    for (const authorization of [`Bearer ${stolen}`, `Bearer ${guess}`, `Basic ${Buffer.from(`user:${values.cookie}`).toString('base64')}`, values.cookie]) await ask('GET', '/api/v1/status', { authorization });
    for (const credential of [stolen, `Bearer ${guess}`]) for (const name of NAMES) {
      await ask('GET', '/api/v1/messages', { [name]: credential, authorization: `Bearer ${admin}` });
      await ask('POST', '/channels/door/in', { [name]: credential, cookie: `session=${values.cookie}`, 'idempotency-key': values.key }, 'no JSON');
    }
    const well = { authorization: `Bearer ${admin}`, cookie: `session=${values.cookie}`, 'idempotency-key': values.key, 'x-api-key': values.key, 'content-type': 'application/json' };
    const { paths } = JSON.parse((await ask('GET', '/openapi.json')).text) as Described;
    for (const [path, methods] of Object.entries(paths)) for (const method of ['get', 'post', 'put', 'patch', 'delete']) {
      if (!methods[method] || JSON.stringify(methods[method]).includes('text/event-stream')) continue;
      const at = path.replaceAll(/\{\w+\}/g, guess);
      const body = method === 'get' ? undefined : JSON.stringify({ reason: stolen, [stolen]: stolen, text: guess });
      await ask(method.toUpperCase(), at, well, body);
      await ask(method.toUpperCase(), `${at}?${stolen}=1&limit=${guess}&access_token=${stolen}`, well, body);
      await ask(method.toUpperCase(), `${at}?access_token=${guess}`, { 'content-type': 'application/json' }, body);
    }
    expect(asked).toBeGreaterThan(200);
    for (const path of [`/${stolen}`, `/api/v1/${guess}`, `/channels/${stolen}/x`, `/channels/door/${stolen}`, `/media/${guess}`, `/api/v1/%zz${stolen}`]) await ask('GET', path, well);
    // Texts of people are in the store, and nowhere else.
    await ask('POST', '/channels/door/in?key=k', { cookie: values.cookie }, JSON.stringify({ id: 'm1', conversation: 'c', sender: { id: 's' }, text: `my password is ${values.text}` }));
    const made = await ask('POST', '/api/v1/tokens', { ...well, 'idempotency-key': secret() }, JSON.stringify({ label: values.seen, scopes: [] }));
    watch.look('made token', made.text);

    await eventually(() => expect(events).toContain('event: message.outcome'));
    stream.abort();
    await reading;
    const read = async (path: string) => (await callHttp(host.address, 'GET', path, { token: admin })).text;
    for (const [place, texts] of Object.entries(answers)) watch.look(place, texts.join('\n'));
    watch.look('events all', events);
    watch.look('metrics all', await read('/metrics'));
    watch.look('audit log', await read('/api/v1/audit/export'));
    watch.look('status all', await read('/api/v1/status'));
    await host[Symbol.asyncDispose]();
    watch.look('log stderr', log);
    watch.look('log stdout', JSON.stringify(host.lines));

    for (const kind of ['refusal', 'answer', 'events', 'metrics', 'audit', 'log']) expect([kind, (watch.looked.get(kind) ?? 0) > 0]).toEqual([kind, true]);
    expect(watch.seen('seen').length).toBeGreaterThan(0);
    expect(watch.sightings.filter(({ value }) => value !== 'seen')).toEqual([]);
  });
});
