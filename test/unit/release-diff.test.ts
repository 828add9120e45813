// What changes from one release to another: every way of asking for more or less, and that only more, another signer or an older version needs a new approval.
import { describe, expect, it } from 'vitest';
import { releaseDiff } from '../../host/trust/diff/diff.ts';
import { sideOfRelease } from '../../host/trust/diff/side.ts';
import type { VerifiedRelease } from '../../host/trust/verify.ts';
import { compileSchema } from '../../host/schema.ts';
import { ReleaseDiff } from '../../schemas/release-diff.ts';
import type { ScanFinding } from '../../schemas/scan.ts';
import type { Capability } from '../../schemas/capability.ts';
import type { IngressRoute } from '../../schemas/ingress.ts';
import type { PluginManifest } from '../../schemas/plugin-manifest.ts';

interface Released extends Partial<Omit<VerifiedRelease, 'manifest' | 'files'>> {
  readonly manifest?: Partial<PluginManifest>;
  readonly files?: Readonly<Record<string, string>>;
}

function aRelease({ manifest: changes = {}, files = { 'plugin.js': 'one' }, ...rest }: Released = {}): VerifiedRelease {
  const manifest: PluginManifest = { manifestVersion: 1, id: 'acme.weather', publisher: 'acme', version: '1.0.0', kind: 'tool', displayName: 'Weather', description: '', license: 'MIT', hostApi: '^1.0.0', ...changes };
  return {
    manifest, packageDigest: `sha256:${'1'.repeat(64)}`, keyid: `ed25519:${'1'.repeat(32)}`, publisher: 'acme', development: false, issuedAt: '2026-01-01T00:00:00.000Z', source: '', path: '/p',
    files: new Map(Object.entries(files).map(([name, text]) => [name, Buffer.from(text)])), ...rest,
  };
}

const diffOf = (before: Released, after: Released) => releaseDiff(sideOfRelease(aRelease(before)), sideOfRelease(aRelease(after)));
const asking = (...capabilities: Capability[]): Released => ({ manifest: { capabilities } });

const A = 'https://a.example';
const B = 'https://b.example';
const fetching = (changes: Partial<Extract<Capability, { name: 'http.fetch' }>> = {}): Capability => ({ name: 'http.fetch', origins: [A], methods: ['GET'], ...changes });
const secret = (changes: Partial<Extract<Capability, { name: 'secret.use' }>> = {}): Capability => ({ name: 'secret.use', handle: 'key', audience: A, inject: { header: 'authorization' }, ...changes });
const sending = (...instances: string[]): Capability => ({ name: 'message.send', instances });
const calling = (...tools: string[]): Capability => ({ name: 'tool.call', tools });
const kv = (quotaBytes: number): Capability => ({ name: 'kv', quotaBytes });
const route = (path: string, verify: IngressRoute['verify'] = { scheme: 'token', secret: 'key', header: 'x-token' }): IngressRoute => ({ method: 'POST', path, verify });
const channel = (...ingress: IngressRoute[]): Released => ({ manifest: { kind: 'channel', channel: { abilities: ['receive', 'send'], ingress } } });
const skill = (triggers: NonNullable<NonNullable<PluginManifest['skill']>['triggers']>): Released => ({ manifest: { kind: 'skill', skill: { triggers } } });
const moderating = (changes: Partial<NonNullable<PluginManifest['moderation']>> = {}): Released => ({ manifest: { kind: 'moderation', moderation: { mode: 'gate', phase: 'policy', directions: ['inbound'], ...changes } } });
const limited = (limits: PluginManifest['limits']): Released => ({ manifest: { limits } });

/** Less, more, and how the more is told. Told the other way round, each is less. */
const WIDER: readonly (readonly [string, Released, Released, string])[] = [
  ['a capability', asking(), asking(fetching()), `it may now send GET requests to ${A}`],
  ['an origin', asking(fetching()), asking(fetching({ origins: [A, B] })), `http.fetch is wider: now also origin ${B}`],
  ['an origin of the config', asking(fetching()), asking(fetching({ origins: [A, { config: '/to' }] })), 'http.fetch is wider: now also origin of config /to'],
  ['a method', asking(fetching()), asking(fetching({ methods: ['GET', 'DELETE'] })), 'http.fetch is wider: now also method DELETE'],
  ['a quota', asking(fetching({ quota: { perMinute: 5 } })), asking(fetching({ quota: { perMinute: 50 } })), 'http.fetch is wider: now also requests a minute: 50 instead of 5'],
  ['no quota any more', asking(fetching({ quota: { bytesPerDay: 5 } })), asking(fetching()), 'http.fetch is wider: now also bytes a day: without a limit instead of 5'],
  ['its own data', asking(kv(10)), asking(kv(20)), 'kv is wider: now also bytes kept: 20 instead of 10'],
  ['a secret', asking(secret()), asking(secret(), secret({ handle: 'other' })), "it may now use the secret 'other'"],
  ['an instance to write to', asking(sending('one')), asking(sending('one', 'two')), 'message.send is wider: now also instance two'],
  ['a tool to call', asking(calling('a.b/c')), asking(calling('a.b/c', 'a.b/d')), 'tool.call is wider: now also tool a.b/d'],
  ['conversations to read', asking(), asking({ name: 'message.read', conversations: 'own' }), 'it may now read the conversations of its own instance'],
  ['two grants in one', asking(fetching(), fetching({ origins: [B], methods: ['POST'] })), asking(fetching({ origins: [A, B], methods: ['GET', 'POST'] })), 'http.fetch is wider: now also '],
  ['a route', channel(route('/in')), channel(route('/in'), route('/more')), "it now takes POST /more with the secret 'key' in a header"],
  ['a route that anyone may use', channel(route('/in')), channel(route('/in', { scheme: 'none' })), 'it now takes POST /in from anyone'],
  ['a socket', channel(route('/in')), { manifest: { kind: 'channel', channel: { abilities: ['receive', 'send'], ingress: [route('/in')], socket: { path: '/ws', conversation: { query: 'c' }, origin: 'any', maxFrameBytes: 10 } } } }, 'it now takes WebSockets at /ws from pages of any site'],
  ['a command', skill({ commands: ['a'] }), skill({ commands: ['a', 'b'] }), 'it now answers the command /b'],
  ['a trigger', skill({ prefixes: ['we'] }), skill({ prefixes: ['we', 'how'] }), "it now answers messages that begin with 'how'"],
  ['every message', skill({ commands: ['a'] }), skill({ always: true }), 'it now answers every message'],
  ['a direction', moderating(), moderating({ directions: ['inbound', 'outbound'] }), 'it now decides on outbound messages in phase policy'],
  ['a decision', moderating({ mode: 'observer' }), moderating(), 'it now decides on inbound messages in phase policy'],
  ['memory', limited({ heapMb: 32 }), limited({ heapMb: 64 }), 'heapMb rises from 32 to 64'],
  ['time', limited({ wallMsPerCall: 100 }), limited({}), 'wallMsPerCall rises from 100 to 2000'],
];

describe('a release that asks for', () => {
  it.each(WIDER)('%s needs a new approval, and says what exactly', (_, less, more, reason) => {
    const diff = diffOf(less, { ...more, manifest: { ...more.manifest, version: '1.1.0' } });
    expect(diff.needsApproval).toBe(true);
    expect(diff.reasons).toEqual([expect.stringContaining(reason)]);
  });

  it.each(WIDER)('less by %s needs none', (_, less, more) => {
    const diff = diffOf(more, { ...less, manifest: { ...less.manifest, version: '1.1.0' } });
    expect(diff).toMatchObject({ needsApproval: false, reasons: [] });
    expect(diff.narrower.length).toBeGreaterThan(0);
  });

  it.each<[string, Released, Released]>([
    ['another origin', asking(fetching()), asking(fetching({ origins: [B] }))],
    ['another audience of a secret', asking(secret()), asking(secret({ audience: B }))],
    ['another way to use a secret', asking(secret()), asking(secret({ inject: { header: 'x-key' } }))],
    ['another route', channel(route('/in')), channel(route('/other'))],
    ['another phase', moderating(), moderating({ phase: 'validation' })],
  ])('%s is both wider and narrower', (_, before, after) => {
    const diff = diffOf(before, after);
    expect(diff.needsApproval).toBe(true);
    expect(diff.reasons).toHaveLength(1);
    expect(diff.narrower).toHaveLength(1);
  });

  it.each<[string, Released, Released]>([
    ['the same in another order', asking(kv(1), fetching()), asking(fetching(), kv(1))],
    ['the same for another reason', asking(kv(1)), asking({ ...kv(1), reason: 'because' })],
    ['the same origin spelled out', asking(fetching()), asking(fetching({ origins: [`${A}:443`] }))],
    ['a default spelled out', limited({}), limited({ heapMb: 32 })],
  ])('%s is no change of what it may do', (_, before, after) => {
    expect(diffOf(before, after)).toMatchObject({ needsApproval: false, reasons: [], narrower: [] });
  });
});

describe('who it is from', () => {
  it.each<[string, Released, Released, Partial<ReleaseDiff>]>([
    ['a newer version of the same signer needs no approval', {}, { manifest: { version: '1.0.1' } }, { direction: 'upgrade', needsApproval: false, reasons: [] }],
    ['a version after its own release candidate is newer', { manifest: { version: '1.0.0-rc.1' } }, {}, { direction: 'upgrade', needsApproval: false }],
    ['an older version is a rollback', { manifest: { version: '1.2.0' } }, { manifest: { version: '1.1.9' } }, { direction: 'rollback', needsApproval: true, reasons: ['an older version: 1.1.9 instead of 1.2.0'] }],
    ['another key is another signer', {}, { keyid: 'ed25519:2' }, { direction: 'same-version', needsApproval: true, reasons: [`another signer: ed25519:2 instead of ed25519:${'1'.repeat(32)}`] }],
    ['another plugin is never an upgrade', {}, { manifest: { id: 'acme.other', version: '2.0.0' } }, { direction: 'other-plugin', needsApproval: true, reasons: ['another plugin: acme.other instead of acme.weather'] }],
  ])('%s', (_, before, after, expected) => {
    expect(diffOf(before, after)).toMatchObject(expected);
  });

  it('is told with everything that the manifest says otherwise', () => {
    const before: Released = { manifest: { license: 'MIT', securityContact: 'mailto:a@acme.example', requires: [{ id: 'acme.base', range: '^1.0.0' }] } };
    const after: Released = { manifest: { license: 'UNLICENSED', requires: [{ id: 'acme.base', range: '^2.0.0' }] }, expiresAt: '2027-01-01T00:00:00.000Z', provenance: { source: 'https://git.example/acme', commit: 'a'.repeat(40) } };
    expect(diffOf(before, after).identity).toEqual([
      { fact: 'license', before: 'MIT', after: 'UNLICENSED' },
      { fact: 'requires acme.base', before: '^1.0.0', after: '^2.0.0' },
      { fact: 'provenance.source', before: null, after: 'https://git.example/acme' },
      { fact: 'provenance.commit', before: null, after: 'a'.repeat(40) },
      { fact: 'expires', before: null, after: '2027-01-01T00:00:00.000Z' },
      { fact: 'securityContact', before: 'mailto:a@acme.example', after: null },
    ]);
  });
});

describe('what it holds', () => {
  it('is told file by file with digest and size, without the envelope', () => {
    const diff = diffOf({ files: { 'plugin.js': 'one', 'assets/a.txt': 'a', 'plugin.dsse.json': 'x' } }, { files: { 'plugin.js': 'three', 'README.md': '', 'plugin.dsse.json': 'y' } });
    expect(diff.files).toEqual({
      added: [{ name: 'README.md', bytes: 0, sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' }],
      removed: [{ name: 'assets/a.txt', bytes: 1, sha256: 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb' }],
      changed: [{ name: 'plugin.js', before: expect.objectContaining({ bytes: 3 }), after: expect.objectContaining({ bytes: 5 }) }],
    });
  });

  it('is told part by part of its SBOM, and a list nobody can read is told as such', () => {
    const sbom = (...components: object[]): Released => ({ files: { 'sbom.cdx.json': JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', components: components.map((each) => ({ type: 'library', ...each })) }) } });
    const part = (name: string, version: string) => ({ name, version });
    expect(diffOf(sbom(part('a', '1'), part('b', '1'), part('c', '1'), part('c', '2')), sbom(part('a', '2'), part('c', '1'), part('c', '2'), part('d', '1'), { group: '@x', name: 'e', version: '1' })).sbom).toEqual({
      added: [part('d', '1'), part('@x/e', '1')], removed: [part('b', '1')], changed: [{ name: 'a', before: '1', after: '2' }],
    });
    expect(diffOf(sbom(), { files: { 'sbom.cdx.json': '{"components":[],"components":[]}' } }).sbom.added).toEqual([{ name: '(sbom.cdx.json cannot be read)', version: expect.stringContaining('twice') }]);
  });

  it('is told setting by setting of the config it takes, at every depth', () => {
    const config = (properties: Record<string, unknown>, required: string[] = []): Released => ({ manifest: { config: { type: 'object', properties, required, additionalProperties: false } } });
    const before = config({ key: { type: 'string', 'x-secret': true }, gone: { type: 'boolean' }, deep: { type: 'object', properties: { a: { type: 'string' } } } });
    const after = config({ key: { type: 'string' }, deep: { type: 'object', properties: { a: { type: 'number' } } } }, ['key']);
    expect(diffOf(before, after).config).toEqual([
      { fact: '/key', before: '{"type":"string","x-secret":true}', after: '{"type":"string","x-required":true}' },
      { fact: '/deep/a', before: '{"type":"string"}', after: '{"type":"number"}' },
      { fact: '/gone', before: '{"type":"boolean"}', after: null },
    ]);
  });

  it('is told tool by tool', () => {
    const tool = (name: string, effects: 'read' | 'write' = 'read', inputSchema = {}) => ({ name, description: '', inputSchema, outputSchema: {}, effects, idempotent: true });
    expect(diffOf({ manifest: { tools: [tool('a'), tool('b'), tool('c')] } }, { manifest: { tools: [tool('a', 'write', { type: 'object' }), tool('c'), tool('d')] } }).tools).toEqual({
      added: ['d'], removed: ['b'], changed: [{ name: 'a', what: ['effects: read to write', 'what it takes'] }],
    });
  });
});

it('what the scanner newly finds needs a new approval, what it no longer finds needs none, and lines that move are no change', () => {
  const finding = (changes: Partial<ScanFinding> = {}): ScanFinding => ({ rule: 'dynamic-code', outcome: 'warn', risk: 'high', file: 'plugin.js', line: 1, message: 'It runs code it makes.', fix: 'Do not.', ...changes });
  const scanned = (...findings: ScanFinding[]) => ({ ...sideOfRelease(aRelease()), findings });
  const found = releaseDiff(scanned(), scanned(finding(), finding({ rule: 'packed', outcome: 'block' }), finding({ rule: 'words', outcome: 'note' })));
  expect(found).toMatchObject({ needsApproval: true, reasons: [expect.stringContaining('refuses something new: packed'), expect.stringContaining('warns of something new: dynamic-code')], scan: { before: 'pass', after: 'block' } });
  expect(releaseDiff(scanned(finding()), scanned())).toMatchObject({ needsApproval: false, scan: { before: 'warn', after: 'pass', added: [], removed: [{ rule: 'dynamic-code' }] } });
  expect(releaseDiff(scanned(finding()), scanned(finding({ line: 99 })))).toMatchObject({ needsApproval: false, scan: { added: [], removed: [] } });
  const times = (count: number) => scanned(...Array.from({ length: count }, (_, line) => finding({ line })));
  const [five, six] = [times(5), times(6)];
  expect(releaseDiff(five, six)).toMatchObject({ needsApproval: true, scan: { added: [{ rule: 'dynamic-code' }], removed: [] } });
  expect(releaseDiff(six, five)).toMatchObject({ needsApproval: false, scan: { added: [], removed: [{ rule: 'dynamic-code' }] } });
  expect(diffOf({}, {}).scan).toBeNull();
});

it('is the published shape, whatever changed', () => {
  const published = compileSchema(ReleaseDiff);
  for (const [, less, more] of WIDER) for (const diff of [diffOf(less, more), diffOf(more, less)]) expect(published.explain(diff)).toBeUndefined();
});
