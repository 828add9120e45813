// Trust records, revocations and key files, whatever stands in them: what counts is understood whole, or does not count.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generateKey, readKeyFile, toKeyFile } from '../../host/trust/keys.ts';
import { loadRevocations, revocationList, revocationsIn, type RevocationList } from '../../host/trust/revocation.ts';
import { loadTrust, readTrustRecord } from '../../host/trust/trust-store.ts';
import { KeyFile, TrustRecord } from '../../schemas/release.ts';
import { Revocations } from '../../schemas/revocation.ts';
import { fuzzDoor } from '../support/fuzz.ts';
import { publishedSchema } from '../support/published-schema.ts';
import { refusalOf } from '../support/refusal.ts';
import { tempDir } from '../support/temp.ts';
import { edited, fitting } from './arbitraries/documents.ts';
import { jsonBytes, type Json } from './arbitraries/json.ts';

const door = fuzzDoor('trust');
const KEYS = Array.from({ length: 4 }, () => generateKey('acme'));
const times = fc.constantFrom('2026-01-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z', '2026-02-30T00:00:00.000Z', '2026-13-01T00:00:00.000Z');
const ranges = fc.constantFrom('*', '1.x', '>=1.0.0 <1.2.3', '1.0.0-rc.1', 'nonsense', '>>1', '', '1 || 2');

const trustedKey = fc.record({ key: fc.constantFrom(...KEYS), other: fc.integer({ min: 0, max: 9 }), notBefore: times, notAfter: times, development: fc.boolean() }, { requiredKeys: ['key', 'other'] }).map(({ key, other, ...rest }): Json => ({ keyid: other === 0 ? (KEYS[0]?.keyid ?? '') : key.keyid, publicKey: key.publicKey.toString('base64'), ...rest }));
const records = fitting(TrustRecord, { keys: fc.array(trustedKey, { minLength: 1, maxLength: 3 }), publisher: fc.constantFrom('acme', 'acme', 'other'), prefixes: fc.array(fc.constantFrom('acme.', 'acme.', 'acme.sub.', 'other.', 'acmeevil.'), { minLength: 1, maxLength: 2 }) });

describe('trust records, whatever they say', () => {
  it('count only when all of them is right, and only under their own prefixes', () => {
    const published = publishedSchema('trust-record');
    return door.holds({ runs: 1200, given: fc.oneof({ weight: 6, arbitrary: edited(records) }, { weight: 1, arbitrary: jsonBytes() }) }, async (bytes) => {
      let read: ReturnType<typeof readTrustRecord> | undefined;
      const refusal = await refusalOf(() => (read = readTrustRecord(bytes, 'acme.json')));
      expect(refusal?.code ?? 'accepted').toMatch(/^(TRUST_RECORD|KEY_REFUSED|accepted)$/);
      if (!read) return;
      const { record, signers } = read;
      expect(published(JSON.parse(bytes.toString()))).toBe(true);
      expect(new Set(signers.map(({ keyid }) => keyid)).size).toBe(record.keys.length);
      expect(record.prefixes.filter((prefix) => !prefix.startsWith(`${record.publisher}.`))).toEqual([]);
      expect(signers.filter(({ publicKey }) => publicKey.length !== 32)).toEqual([]);
    });
  });

  it('that cannot be understood leave the others alone', async () => {
    await using dir = await tempDir();
    const good = { publisher: 'good', prefixes: ['good.'], keys: [{ keyid: KEYS[3]?.keyid, publicKey: KEYS[3]?.publicKey.toString('base64') }] };
    await writeFile(join(dir.path, 'good.json'), JSON.stringify(good));
    await door.holds({ runs: 120, given: edited(records) }, async (bytes) => {
      await writeFile(join(dir.path, 'acme.json'), bytes);
      const { store, diagnostics } = await loadTrust([dir.path]);
      expect(store.records.map(({ record }) => record.publisher)).toContain('good');
      expect(store.records.length + diagnostics.length).toBeGreaterThanOrEqual(2);
    });
  });
});

describe('revocations, whatever they say', () => {
  it('are all believed or all refused', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'revocations.json');
    const published = publishedSchema('revocations');
    await door.holds({ runs: 300, given: edited(fitting(Revocations, { range: ranges })) }, async (bytes) => {
      await writeFile(file, bytes);
      let list: RevocationList | undefined;
      const refusal = await refusalOf(async () => (list = revocationList(await loadRevocations(file))));
      expect(refusal?.code ?? 'accepted').toMatch(/^(JSON_\w+|SCHEMA_INVALID|SCHEMA_UNKNOWN_KEY|accepted)$/);
      if (!list) return;
      const { keys = [], digests = [], plugins = [] } = JSON.parse(bytes.toString()) as Revocations;
      expect(published({ keys, digests, plugins })).toBe(true);
      for (const each of revocationsIn({ keys, digests })) expect(list.reasonFor({ ...each })).toBeDefined();
      for (const { id, range } of plugins.filter((each) => each.range === '*')) expect([range, list.reasonFor({ id, version: '1.2.3-rc.1' })]).toEqual(['*', expect.any(String)]);
    });
  });
});

describe('key files, whatever they say', () => {
  it('are whole pairs that belong together, or refused without a word of the key', () => {
    const whole = fc.constantFrom(...KEYS).map((key): Json => ({ ...toKeyFile(key) }));
    return door.holds({ runs: 500, given: edited(fc.oneof(whole, fitting(KeyFile)), { most: 1 }) }, async (bytes) => {
      let read: ReturnType<typeof readKeyFile> | undefined;
      const refusal = await refusalOf(() => (read = readKeyFile(bytes, 'acme.key.json')));
      expect(refusal?.code ?? 'accepted').toMatch(/^(KEY_FILE|accepted)$/);
      expect(KEYS.some(({ seed }) => refusal?.message.includes(seed.toString('base64')))).toBe(false);
      expect(read === undefined || KEYS.some(({ keyid }) => keyid === read?.keyid)).toBe(true);
    });
  });
});
