// What a secret puts into a request, where it refuses to go, and in which disguises it is recognised when it comes back.
import { createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Grant } from '../../schemas/capability.ts';
import { injectionsFor } from '../../host/egress/injection.ts';
import { leakScan, refuseLeak, type Arrived } from '../../host/egress/leak-scan.ts';
import { searchFor } from '../../host/egress/secret-search.ts';
import { GatehouseError } from '../../host/errors.ts';
import { subscribe } from '../../host/events.ts';

const AUDIENCE = 'https://api.example';
const VALUE = 's3cr&t "ne/w" +key~%41\\u0041';
const header = (changes: Partial<Extract<Grant, { name: 'secret.use' }>> = {}): Grant => ({ name: 'secret.use', handle: 'api-key', audience: AUDIENCE, inject: { header: 'authorization', prefix: 'Bearer ' }, ...changes });
const hmac = (over: 'body' | 'target', handle = 'signing'): Grant => header({ handle, inject: { hmac: { algorithm: 'sha256', header: 'X-Signature', prefix: 'sha256=', over } } });
const secrets = (handle: string) => ({ 'api-key': VALUE, signing: 'the signing key' })[handle];
const use = { instance: 'weather', url: `${AUDIENCE}/now?place=here` };
const hop = { method: 'POST', target: '/now?b=%20&a=1', body: '{"text":"é"}' };
const codeOf = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    return error instanceof GatehouseError ? { code: error.code, message: error.message } : error;
  }
  return undefined;
};

describe('an injection', () => {
  it('writes a header, or signs the body or the target exactly as sent', () => {
    const [key] = injectionsFor(['api-key'], [header()], secrets, use);
    expect(key?.headersFor(hop)).toEqual({ authorization: `Bearer ${VALUE}` });
    for (const over of ['body', 'target'] as const) {
      const [signing] = injectionsFor(['signing'], [hmac(over)], secrets, use);
      expect(signing?.headersFor(hop)).toEqual({ 'x-signature': `sha256=${createHmac('sha256', 'the signing key').update(Buffer.from(hop[over])).digest('hex')}` });
    }
  });

  it.each<[what: string, handles: readonly string[], grants: readonly Grant[], url: string, code: string, message: RegExp]>([
    ['a handle nobody granted', ['other'], [header()], AUDIENCE, 'CAPABILITY_DENIED', /'weather' may not use secret\.use for 'other' at 'https:\/\/api\.example'/],
    ['another origin than its audience', ['api-key'], [header()], 'https://api.example.evil/now', 'CAPABILITY_DENIED', /'api-key' at 'https:\/\/api\.example\.evil'/],
    ['another port than its audience', ['api-key'], [header()], 'https://api.example:8443/', 'CAPABILITY_DENIED', /8443/],
    ['another scheme than its audience', ['api-key'], [header()], 'http://api.example/', 'CAPABILITY_DENIED', /http:/],
    ['an audience the operator left unset', ['api-key'], [header({ audience: { config: '/url' } })], AUDIENCE, 'CAPABILITY_DENIED', /'api-key'/],
    ['a header that another one writes', ['api-key', 'signing'], [header(), header({ handle: 'signing', inject: { header: 'Authorization' } })], AUDIENCE, 'CAPABILITY_ARGUMENT', /'api-key' and 'signing' both write the header 'authorization'/],
    ['a value that cannot be read', ['lost'], [header({ handle: 'lost' })], AUDIENCE, 'SECRET_MISSING', /'lost'/],
  ])('is refused for %s', (_, handles, grants, url, code, message) => {
    expect(codeOf(() => injectionsFor(handles, grants, secrets, { instance: 'weather', url }))).toEqual({ code, message: expect.stringMatching(message) });
  });

  it('goes to its audience however that is spelled', () => {
    for (const url of ['https://api.example:443/', 'https://API.example', 'HTTPS://api.example/x']) expect(injectionsFor(['api-key', 'api-key'], [header({ audience: 'https://api.example:443' })], secrets, { instance: 'weather', url })).toHaveLength(1);
  });

  it('shows nothing of the value to whoever prints it', () => {
    const injections = injectionsFor(['api-key', 'signing'], [header(), hmac('body')], secrets, use);
    expect(`${JSON.stringify(injections)} ${inspect(injections)} ${Object.values(injections[0] ?? {}).join(' ')}`).not.toMatch(/s3cr|the signing key/);
  });

  it('that is granted but not named is not sent, and still looked for', () => {
    const [watch, ...others] = injectionsFor([], [header()], secrets, use);
    expect([watch?.handle, watch?.headersFor(hop), others]).toEqual(['api-key', {}, []]);
    expect([watch?.leaksIn(`you sent ${VALUE} yesterday`), watch?.leaksIn('you sent nothing')]).toEqual([true, false]);
    expect(injectionsFor([], [header({ handle: 'lost' })], secrets, use)).toEqual([]);
  });
});

describe('a search for a secret', () => {
  const value = `${VALUE} é`;
  const bytes = Buffer.from(value);
  const everyByte = (write: (byte: number) => string) => [...bytes].map(write).join('');
  const hex = (byte: number) => byte.toString(16).padStart(2, '0');
  const json = (text: string) => JSON.stringify(text).slice(1, -1);
  const html = (text: string) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');

  it.each<[string, string]>([
    ['as it is', value],
    ['in a header', `Bearer ${value}, and more`],
    ...[0, 1, 2, 3].flatMap((before): [string, string][] => [
      [`in base64, ${before} bytes in`, Buffer.from(`${'x'.repeat(before)}${value}`).toString('base64')],
      [`in base64 with ${before} bytes after it`, Buffer.from(`${value}${'y'.repeat(before)}`).toString('base64')],
      [`in base64url, ${before} bytes in`, Buffer.from(`${'x'.repeat(before)}${value}yyy`).toString('base64url')],
    ]),
    ['in base64 broken into lines', Buffer.from(`${'x'.repeat(70)}${value}`).toString('base64').replaceAll(/.{20}/g, '$&\r\n')],
    ['in base64 inside JSON', JSON.stringify({ line: Buffer.from(value).toString('base64').replaceAll('/', '\\/').replaceAll(/.{10}/g, '$&\n') })],
    ['in hex', bytes.toString('hex')],
    ['in hex, upper case', bytes.toString('hex').toUpperCase()],
    ['in hex, mixed case, with spaces', everyByte((byte) => `${byte % 2 ? hex(byte) : hex(byte).toUpperCase()} `)],
    ['percent-encoded', encodeURIComponent(value)],
    ['percent-encoded in lower case', encodeURIComponent(value).replaceAll(/%../g, (each) => each.toLowerCase())],
    ['percent-encoded in every byte', everyByte((byte) => `%${hex(byte)}`)],
    ['in a form', new URLSearchParams({ key: value }).toString()],
    ['in JSON', JSON.stringify({ you: { sent: value } })],
    ['in JSON with every character escaped', Array.from(value).map((each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')],
    ['in HTML', `<p title="${html(value)}">`],
    ['in HTML with every character a reference', Array.from(value).map((each, index) => (index % 2 ? `&#${each.charCodeAt(0)};` : `&#x${each.charCodeAt(0).toString(16)};`)).join('')],
    ['percent-encoded twice', encodeURIComponent(encodeURIComponent(value))],
    ['in JSON, percent-encoded', `?state=${encodeURIComponent(JSON.stringify({ token: value }))}`],
    ['percent-encoded, in JSON', JSON.stringify(`https://evil.example/?t=${encodeURIComponent(value)}`)],
    ['in JSON in JSON', JSON.stringify(JSON.stringify({ token: value }))],
    ['in JSON in HTML', html(json(value))],
  ])('finds it %s', (_, text) => {
    expect(searchFor(value)(`some ${text} text`)).toBe(true);
  });

  it.each([['nothing', ''], ['its beginning', value.slice(0, -1)], ['its end', value.slice(1)], ['another base64', Buffer.from(value.toUpperCase()).toString('base64')], ['a digest of it', createHmac('sha256', value).digest('hex')]])('does not find it in %s', (_, text) => {
    expect(searchFor(value)(`some ${text} text`)).toBe(false);
  });

  it('is not made for secrets so short that honest answers hold them', () => {
    expect([searchFor('1234567')('1234567'), searchFor('12345678')('12345678')]).toEqual([false, true]);
  });

  it('of a whole answer full of escapes ends in time', () => {
    const worst = '%25%5Cu0026amp;\\n&quot; '.repeat(11_000);
    const startedAt = performance.now();
    for (let round = 0; round < 5; round++) expect(searchFor(value)(worst)).toBe(false);
    expect((performance.now() - startedAt) / 5).toBeLessThan(1000);
  });
});

describe('an answer', () => {
  const answer = (changes: Partial<Arrived>): Arrived => ({ status: 200, statusText: 'OK', headers: { 'content-type': 'text/plain' }, body: 'fine', ...changes });
  const injections = () => injectionsFor(['signing'], [header(), hmac('target')], secrets, use);

  it.each<[place: string, changes: Partial<Arrived>]>([
    ['status', { statusText: `no ${VALUE}` }],
    ['headers', { headers: { location: `https://evil.example/?${encodeURIComponent(VALUE)}` } }],
    ['headers', { headers: { 'set-cookie': ['a=b', `k=${Buffer.from(VALUE).toString('base64')}`] } }],
    ['headers', { headers: { [`x-${Buffer.from(VALUE).toString('hex')}`]: '' } }],
    ['body', { body: JSON.stringify({ headers: { authorization: `Bearer ${VALUE}` } }) }],
  ])('with a secret in its %s is withheld, and told without it', (where, changes) => {
    const told: unknown[] = [];
    const stop = subscribe('secret.leaked', (event) => told.push(event));
    const refused = codeOf(() => refuseLeak({ instance: 'weather', plugin: 'acme.weather' }, AUDIENCE, answer(changes), { injections: injections(), isRead: true }));
    stop();
    expect(refused).toEqual({ code: 'SECRET_LEAK', message: `The answer of ${AUDIENCE} to 'weather' holds the secret 'api-key' in its ${where}, and is withheld.` });
    expect(told).toEqual([{ instance: 'weather', plugin: 'acme.weather', origin: AUDIENCE, handle: 'api-key', where, isRead: true }]);
  });

  it('with the signature of its own request is withheld too', () => {
    const made = injections();
    const signature = Object.values(made[0]?.headersFor(hop) ?? {})[0]?.slice('sha256='.length) ?? '';
    expect(leakScan(answer({ body: `you signed ${signature}` }), made)).toEqual({ handle: 'signing', where: 'body' });
    expect(leakScan(answer({ body: `you signed ${'0'.repeat(64)}` }), made)).toBeUndefined();
  });
});
