// Names, keys, references and paths, whatever text they are made of.
import { createHmac } from 'node:crypto';
import { join, normalize } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Type } from 'typebox';
import { afterPrefix, bytewise, withKeys } from '../../host/capabilities/kv-key.ts';
import { hostNames } from '../../host/control/host-names.ts';
import { matchRoute } from '../../host/pipeline/ingress/routes.ts';
import { normalizeText } from '../../host/pipeline/stages/normalize.ts';
import { verifyRequest } from '../../host/pipeline/stages/verify.ts';
import { readSecret } from '../../host/registry/secrets.ts';
import { compileSchema } from '../../host/schema.ts';
import { decodeKey, encodeKey } from '../../host/store/keys.ts';
import { nameProblem } from '../../host/trust/package-names.ts';
import { InstanceName, PluginId, Publisher, SecretHandle, ToolAddress, ToolName } from '../../schemas/ids.ts';
import { fuzzDoor } from '../support/fuzz.ts';
import { refusalOf } from '../support/refusal.ts';
import { tempDir } from '../support/temp.ts';
import { damagedText } from './arbitraries/bytes.ts';
import { fitting } from './arbitraries/documents.ts';
import { AWKWARD_KEYS, AWKWARD_TEXTS } from './arbitraries/json.ts';

const door = fuzzDoor('names');
const units = fc.array(fc.oneof(fc.constantFrom(0, 0x1f, 0x7f, 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xffff), fc.nat(0xffff)), { maxLength: 6 }).map((codes) => String.fromCharCode(...codes));
const anyText = fc.oneof(units, fc.string({ unit: 'binary', maxLength: 10 }), fc.string({ maxLength: 12 }), fc.constantFrom(...AWKWARD_KEYS, ...AWKWARD_TEXTS));

describe('ids', () => {
  const grammars = { PluginId, Publisher, InstanceName, ToolName, ToolAddress, SecretHandle };
  const near = damagedText(fc.oneof(...Object.values(grammars).map((schema) => fitting(schema).map(String))), { most: 2, dictionary: ['.', '..', '/', '-', '\u0000', '\n', 'A', '_', '%2f'] });

  it.each(Object.entries(grammars))('of the grammar %s mean one place and one thing everywhere', (_, schema) => {
    const checker = compileSchema<string>(schema);
    return door.holds({ runs: 800, given: fc.oneof(near, anyText) }, (text) => {
      if (!checker.is(text)) return;
      expect(text).toMatch(/^[a-z0-9./-]+$/);
      expect(text.split('/')).toHaveLength(schema === ToolAddress ? 2 : 1);
      expect(join('/root', text)).toBe(`/root/${text}`);
      expect(text.length).toBeLessThanOrEqual(200);
    });
  });
});

describe('names of files in a package', () => {
  const names = damagedText(fc.constantFrom('plugin.json', 'assets/a.txt', 'assets/deep/b.js', 'README.md', 'assets/con.txt', 'assets/a.'), { most: 2, dictionary: ['../', '/', '\\', '.', '..', '\u0000', ':', ' ', '~', '\u202e', '\u200b', '%2e', 'CON', '-'] });

  it('lead below its root, on every system', () => door.holds({ runs: 3000, given: fc.oneof(names, anyText) }, (name) => {
    if (nameProblem(name) !== undefined) return;
    expect(normalize(name)).toBe(name);
    expect(join('/root', name)).toBe(`/root/${name}`);
    expect(name).toMatch(/^[A-Za-z0-9_.@+/-]{1,200}$/);
    expect(name.split('/').some((part) => /^\.|\.$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(part))).toBe(false);
  }));
});

describe('keys', () => {
  const key = fc.array(fc.oneof(anyText, fc.integer(), fc.double({ noNaN: true })), { minLength: 1, maxLength: 4 });
  const encoded = (parts: readonly (string | number)[]) => {
    try {
      return encodeKey('kv', parts);
    } catch {
      return undefined;
    }
  };

  it('of the store come back as they were, and two that differ never meet', () => door.holds({ runs: 3000, given: fc.tuple(key, key) }, async ([one, other]) => {
    const refusal = await refusalOf(() => encodeKey('kv', one));
    expect(refusal?.code ?? 'STORE_KEY').toBe('STORE_KEY');
    const [left, right] = [encoded(one), encoded(other)];
    if (!left || !right) return;
    expect(decodeKey(left)).toEqual(one.map((part) => (Object.is(part, -0) ? decodeKey(left)[one.indexOf(part)] : part)));
    expect(Buffer.compare(left, right) === 0).toBe(JSON.stringify(one.map(plain)) === JSON.stringify(other.map(plain)));
  }));

  it('of plugins are text that any store and reader can hold', () => {
    const checker = withKeys(compileSchema<{ key: string }>(Type.Object({ key: Type.String() })), 'key');
    return door.holds({ runs: 2000, given: fc.oneof(anyText, anyText.map((text) => text.repeat(60))) }, (text) => {
      const problem = checker.explain({ key: text });
      const isFit = text.isWellFormed() && Buffer.byteLength(text) <= 512 && !/\p{Cc}/u.test(text);
      expect([text, problem === undefined]).toEqual([text, isFit]);
    });
  });

  it('that begin with a prefix end before what follows it', () => door.holds({ runs: 3000, given: fc.tuple(anyText, anyText, anyText) }, ([prefix, tail, other]) => {
    if (![prefix, tail, other].every((text) => text.isWellFormed())) return;
    const end = afterPrefix(prefix);
    expect(end === undefined || bytewise(prefix + tail, end) < 0).toBe(true);
    expect(other.startsWith(prefix) || bytewise(other, prefix) < 0 || end === undefined || bytewise(other, end) >= 0).toBe(true);
  }));
});

describe('requests', () => {
  const routes = [
    { method: 'POST', path: '/messages', verify: { scheme: 'none' } },
    { method: 'GET', path: '/conversations/:conversation/messages', verify: { scheme: 'none' } },
    { method: 'GET', path: '/:__proto__/:constructor', verify: { scheme: 'none' } },
  ] as const;
  const targets = damagedText(fc.constantFrom('/channels/hook/messages', '/channels/hook/conversations/c/messages?after=1', '/channels/hook/a/b', '/channels/hook/conversations/%2e%2e/messages', '/channels/hook/conversations/a%2fb/messages'), { most: 3, dictionary: ['/', '%', '%2f', '%00', '%c0%af', '?', '#', '..', '%2e', '\u0000', '//'] });

  it('find a route only by their own segments, each decoded once', () => door.holds({ runs: 4000, given: fc.tuple(fc.oneof(targets, anyText), fc.constantFrom('GET', 'POST')) }, ([target, method]) => {
    const match = matchRoute(routes, 'hook', method, target);
    if (!match) return;
    const raw = (target.split('?')[0] ?? '').slice('/channels/hook/'.length).split('/');
    expect(raw).toHaveLength(match.route.path.split('/').length - 1);
    expect(Object.getPrototypeOf(match.params)).toBeNull();
    expect(raw.map(decodeURIComponent).join('/')).toBe(match.path.slice(1));
    expect(Object.values(match.params)).not.toContain('');
  }));

  it('are authentic only with the one right signature', () => {
    const scheme = { scheme: 'hmac-sha256', secret: 'signing', header: 'x-signature', prefix: 'sha256=', over: 'body' } as const;
    const right = createHmac('sha256', 'key').update('body').digest('hex');
    const headers = damagedText(fc.constantFrom(`sha256=${right}`, `sha256=${right.toUpperCase()}`, right), { most: 2, dictionary: ['sha256=', ' ', ', ', '0', '\u0000'] });
    return door.holds({ runs: 2000, given: fc.oneof(headers, anyText) }, (header) => {
      const request = { method: 'POST', target: '/', headers: { 'x-signature': header }, body: Buffer.from('body') };
      expect([header, verifyRequest(scheme, request, { secret: () => 'key', nowMs: 0 }).ok]).toEqual([header, header.startsWith('sha256=') && header.slice(7).toLowerCase() === right]);
      expect(verifyRequest(scheme, request, { secret: () => undefined, nowMs: 0 }).ok).toBe(false);
    });
  });

  it('are for this host only when a URL of that name leads here', () => {
    const answersTo = hostNames({ listen: { host: '127.0.0.1', port: 4280 }, hosts: ['chat.example.org'] });
    const headers = damagedText(fc.constantFrom('127.0.0.1', 'localhost:4280', '[::1]:80', 'chat.example.org', 'CHAT.example.org:443', '127.0.0.2'), { most: 2, dictionary: ['.', ':', '@', '/', '#', '?', '[', ']', ' ', '%', '\\', '\t', ',', 'evil.com'] });
    return door.holds({ runs: 3000, given: fc.oneof(headers, anyText) }, (header) => {
      if (!answersTo(header)) return;
      const name = URL.parse(`http://${header}/`)?.hostname ?? '127.0.0.1'; // a port beyond 65535 leads nowhere
      expect(name).toMatch(/^(127\.\d+\.\d+\.\d+|localhost|\[::1\]|chat\.example\.org)$/);
    });
  });
});

describe('texts and secrets', () => {
  it('of messages are normal after one pass: composed, without controls, whole', () => door.holds({ runs: 3000, given: fc.oneof(anyText, fc.tuple(anyText, anyText).map((parts) => parts.join('\r\n'))) }, (text) => {
    const once = normalizeText(text);
    expect(normalizeText(once)).toBe(once);
    expect(once.isWellFormed()).toBe(true);
    expect(once).toBe(once.normalize('NFC'));
    expect(once).not.toMatch(/(?![\n\t])\p{Cc}/u);
  }));

  it('are read by reference as one line of text, or not at all', async () => {
    await using home = await tempDir();
    const references = fc.oneof(fc.oneof(fc.constantFrom('SET', 'EMPTY', 'LINES', 'UNSET'), fc.constantFrom(...AWKWARD_KEYS)).map((env) => ({ env })), fc.oneof(anyText, fc.constantFrom('.', '..', '/', '/dev/null', '/dev/zero', '/dev/stdin', '/proc/self/mem', '/nonexistent', 'a\u0000b', 'x'.repeat(5000))).map((file) => ({ file })));
    await door.holds({ runs: 800, given: references }, (reference) => {
      const reading = readSecret(reference, { home: home.path, env: { SET: 'value', EMPTY: '', LINES: 'a\nb' } });
      expect(reading.ok ? reading.value : reading.problem).toEqual(expect.stringMatching(/./));
      expect(reading.ok && !('env' in reference && reference.env === 'SET')).toBe(false);
    });
  });
});

/** Negative zero and zero are one number to every store. */
const plain = (part: string | number) => (Object.is(part, -0) ? 'negative zero' : typeof part === 'string' ? `text ${part}` : String(part));
