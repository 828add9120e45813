// The report about a package: one value, shown to people, to scripts and as SARIF; and the verdict of building the package again.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildPlugin } from '../../host/authoring/build.ts';
import { signPackage } from '../../host/authoring/sign.ts';
import { CHECKS } from '../../host/trust/checks.ts';
import { aReviewer, putApproval, trustReviewers } from '../support/approvals.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome } from '../support/home.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';
import { aSuccession, HOUR_MS, writeTrust } from '../support/revocations.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';

const SOURCE = 'gatehouse.register({ kind: "tool", handlers: {} });';
const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');

interface Sarif {
  readonly runs: readonly [{
    readonly invocations: readonly [{ readonly exitCode: number }];
    readonly columnKind: string;
    readonly tool: { readonly driver: { readonly rules: readonly { readonly id: string; readonly help: { readonly text: string } }[] } };
    readonly results: readonly { readonly ruleId: string; readonly kind: string; readonly level: string; readonly message: { readonly text: string }; readonly locations?: readonly { readonly physicalLocation: { readonly artifactLocation: { readonly uri: string }; readonly region?: object } }[]; readonly properties?: object }[];
    readonly artifacts: readonly { readonly location: { readonly uri: string }; readonly hashes: object }[];
  }];
}

let isSarif: ValidateFunction;
beforeAll(() => {
  // Written in draft 4, whose only difference here is how a schema names itself.
  const { $schema: _, id: __, ...schema }: Record<string, unknown> = JSON.parse(readFileSync(resolve(import.meta.dirname, '../fixtures/schemas/sarif-2.1.0-rtm.5.json'), 'utf8'));
  isSarif = new Ajv({ strict: false, validateFormats: false, unicodeRegExp: false, allErrors: true }).compile(schema);
});

/** `p` is a signed package that the folder's own records trust. */
async function aPackage(dir: string, given: Partial<Parameters<typeof buildTestPackage>[0]> = {}) {
  const key = given.key ?? newTestKey('acme');
  const made = await buildTestPackage({ dir: join(dir, 'p'), id: 'acme.x', kind: 'tool', source: SOURCE, ...given, key });
  await writeTrustRecord(dir, key, { notBefore: '2026-01-01T00:00:00.000Z', notAfter: '2099-01-01T00:00:00.000Z' });
  const run = (command: 'verify' | 'inspect', ...words: readonly string[]) => runCommand([command, 'p', '--trust', 'manifests/trust', ...words], { cwd: dir });
  return { ...made, key, run };
}

async function sarifOf(dir: string, ...words: readonly string[]): Promise<{ readonly code: number; readonly sarif: Sarif; readonly failed: Sarif['runs'][0]['results'] }> {
  const { code, stdout } = await runCommand(['verify', 'p', '--sarif', ...words], { cwd: dir });
  const sarif: Sarif = JSON.parse(stdout);
  expect(isSarif(sarif) ? [] : isSarif.errors).toEqual([]);
  expect(sarif.runs[0].invocations[0].exitCode).toBe(code);
  return { code, sarif, failed: sarif.runs[0].results.filter(({ kind }) => kind === 'fail') };
}

describe('the report of a good package', () => {
  const capabilities = [{ name: 'http.fetch', origins: ['https://api.example'], methods: ['GET'], reason: 'To ask the service.' }, { name: 'kv', quotaBytes: 65_536 }];

  it('says who it is, why its signature counts, what it asks for, and how each byte is accounted for', async () => {
    await using dir = await tempDir();
    const { run, key, packageDigest } = await aPackage(dir.path, { manifest: { capabilities, limits: { heapMb: 64 }, repository: 'https://git.example/acme/x' }, files: { 'assets/a.txt': 'a' } });
    const second = newTestKey('acme');
    await writeTrustRecord(dir.path, second, { development: true, prefixes: ['acme.tools.', 'acme.'] });
    for (const command of ['verify', 'inspect'] as const) {
      const shown = await run(command, '--json');
      expect(shown.code).toBe(0);
      expect(shown.json()).toMatchObject({
        ok: true, vouched: true, packageDigest, id: 'acme.x', version: '1.0.0', publisher: 'acme', keyid: key.keyid, kind: 'tool', repository: 'https://git.example/acme/x',
        trust: {
          publisher: 'acme', record: join(dir.path, 'manifests/trust/publishers/acme.json'), prefixes: ['acme.tools.', 'acme.'], matched: 'acme.',
          keys: [
            { keyid: key.keyid, notBefore: '2026-01-01T00:00:00.000Z', notAfter: '2099-01-01T00:00:00.000Z', development: false, signed: true },
            { keyid: second.keyid, notBefore: null, notAfter: null, development: true, signed: false },
          ],
        },
        release: { expiresAt: null, provenance: null },
        capabilities: [{ name: 'http.fetch', meaning: 'send GET requests to https://api.example', reason: 'To ask the service.' }, { name: 'kv', meaning: 'keep up to 64 KiB of its own data' }],
        limitFacts: expect.arrayContaining([{ limit: 'heapMb', value: 64, asked: true, default: 32, least: 8, most: 512 }, { limit: 'concurrency', value: 64, asked: false, default: 64, least: 1, most: 256 }]),
        files: [{ name: 'assets/a.txt', bytes: 1, sha256: sha256('a'), state: 'signed' }, { name: 'plugin.dsse.json', state: 'envelope' }, { name: 'plugin.js', sha256: sha256(SOURCE), state: 'signed' }, { name: 'plugin.json', state: 'signed' }],
        sbom: { state: 'missing' }, rebuilds: [],
        checks: CHECKS.map((name) => ({ name, ok: true })),
      });
    }
  });

  it('follows statements of succession back to the record that vouches for the key', async () => {
    await using dir = await tempDir();
    const [old, next] = [newTestKey('acme'), newTestKey('acme')];
    const { run } = await aPackage(dir.path, { key: next, now: Date.now() });
    await rm(join(dir.path, 'manifests/trust/publishers/acme.json'));
    const record = await writeTrustRecord(dir.path, old);
    const statement = await writeTrust(dir.path, 'successions/next.dsse.json', aSuccession(old, next, Date.now() - HOUR_MS));
    const shown = await run('verify', '--json');
    expect(shown.json()).toMatchObject({ ok: true, trust: { record, matched: 'acme.', succession: [{ keyid: next.keyid, introducedBy: old.keyid, statement }], keys: [{ keyid: old.keyid, signed: false }, { keyid: next.keyid, signed: true }] } });
    expect((await run('verify')).stdout).toContain(`${next.keyid} was introduced by ${old.keyid}`);
  });

  it('is valid SARIF, with a rule and a result for every check and every file by its digest', async () => {
    await using dir = await tempDir();
    await aPackage(dir.path, { manifest: { capabilities } });
    const { code, sarif, failed } = await sarifOf(dir.path, '--trust', 'manifests/trust');
    expect(code).toBe(0);
    const [{ tool, results, artifacts }] = sarif.runs;
    expect(tool.driver.rules.map(({ id }) => id).filter((id) => !id.startsWith('scan/'))).toEqual([...CHECKS.map((name) => `check/${name}`), 'sbom', 'rebuild']);
    for (const { help } of tool.driver.rules) expect(help.text.length).toBeGreaterThan(20);
    expect(results.filter(({ kind }) => kind === 'pass').map(({ ruleId }) => ruleId)).toEqual(CHECKS.map((name) => `check/${name}`));
    expect(failed.filter(({ ruleId }) => !ruleId.startsWith('scan/'))).toMatchObject([{ ruleId: 'sbom', level: 'warning' }]);
    expect(artifacts.find(({ location }) => location.uri === 'plugin.js')).toMatchObject({ hashes: { 'sha-256': sha256(SOURCE) } });
  });

  it('says what was not looked at where nobody’s trust was given', async () => {
    await using dir = await tempDir();
    await aPackage(dir.path);
    expect((await runCommand(['inspect', 'p', '--json'], { cwd: dir.path })).json()).toMatchObject({ ok: true, vouched: false, trust: null });
    const { code, sarif } = await sarifOf(dir.path);
    expect(code).toBe(0);
    expect(sarif.runs[0].results.filter(({ kind }) => kind === 'open').map(({ ruleId }) => ruleId)).toEqual(['trust', 'signature-node', 'signature-tweetnacl', 'prefix', 'key-valid', 'revocation', 'development'].map((name) => `check/${name}`));
  });
});

describe('the report of a broken package', () => {
  it.each<[string, (path: string) => Promise<unknown>, { readonly rule: string; readonly file: string | undefined; readonly code: string; readonly expected: string; readonly found: string }]>([
    ['a changed file', (path) => writeFile(join(path, 'plugin.js'), 'evil()'), { rule: 'check/files', file: 'plugin.js', code: 'RELEASE_FILES', expected: `sha256:${sha256(SOURCE)}`, found: `sha256:${sha256('evil()')}` }],
    ['an added file', async (path) => mkdir(join(path, 'assets')).then(() => writeFile(join(path, 'assets/b.txt'), 'b')), { rule: 'check/files', file: 'assets/b.txt', code: 'RELEASE_FILES', expected: 'no such file', found: `sha256:${sha256('b')}` }],
    ['no signature', (path) => rm(join(path, 'plugin.dsse.json')), { rule: 'check/envelope', file: 'plugin.dsse.json', code: 'RELEASE_UNSIGNED', expected: 'plugin.dsse.json', found: 'plugin.js, plugin.json' }],
    ['nothing at all', (path) => rm(path, { recursive: true }), { rule: 'check/package', file: undefined, code: 'PACKAGE_NOT_FOUND', expected: 'a package: a folder or a .tgz', found: 'nothing' }],
  ])('names %s with both values in all three forms', async (_, tamper, { rule, file, code, expected, found }) => {
    await using dir = await tempDir();
    const { run, path } = await aPackage(dir.path);
    await tamper(path);
    const told = await run('verify');
    expect(told.code).toBe(3);
    for (const part of ['Refused.', `expected: ${expected}`, `found:    ${found}`]) expect(told.stdout).toContain(part);
    const json = await run('verify', '--json');
    expect(json.code).toBe(3);
    expect(json.json()).toMatchObject({ ok: false, code, checks: expect.arrayContaining([expect.objectContaining({ name: rule.slice('check/'.length), ok: false, code, expected, found })]) });
    const { code: exit, failed } = await sarifOf(dir.path, '--trust', 'manifests/trust');
    expect(exit).toBe(3);
    const result = failed.find(({ ruleId }) => ruleId === rule);
    expect(result).toMatchObject({ level: 'error', properties: { code, expected, found } });
    expect(result?.locations?.[0]?.physicalLocation.artifactLocation.uri).toBe(file);
  });

  it('accounts for every file, not only the first that is wrong', async () => {
    await using dir = await tempDir();
    const { run, path } = await aPackage(dir.path, { files: { 'README.md': 'x', 'assets/a.txt': 'a' } });
    await rm(join(path, 'README.md'));
    await writeFile(join(path, 'assets/a.txt'), 'b');
    await writeFile(join(path, 'assets/c.txt'), 'c');
    expect((await run('verify', '--json')).json()).toMatchObject({ files: [{ name: 'assets/a.txt', state: 'changed', sha256: sha256('b'), expected: sha256('a') }, { name: 'assets/c.txt', state: 'extra' }, { state: 'envelope' }, { state: 'signed' }, { state: 'signed' }, { name: 'README.md', state: 'missing', bytes: null, expected: sha256('x') }] });
  });

  it('points at the line of plugin.json that is wrong', async () => {
    await using dir = await tempDir();
    const { path, key } = await aPackage(dir.path);
    await writeFile(join(path, 'plugin.json'), (await readFile(join(path, 'plugin.json'), 'utf8')).replace('"license": "MIT"', '"license": 7'));
    await signAsItIs(path, key);
    const { failed } = await sarifOf(dir.path, '--trust', 'manifests/trust');
    expect(failed.find(({ ruleId }) => ruleId === 'check/manifest')).toMatchObject({ locations: [{ physicalLocation: { artifactLocation: { uri: 'plugin.json' }, region: { startLine: 7, startColumn: expect.any(Number) } } }], properties: { expected: '/license must be a string, but is an integer', found: '7' } });
  });
});

describe('what others say of a package', () => {
  const EVIL = "const hidden = eval;\nhidden('1');\ngatehouse.register({ kind: 'tool', handlers: { call: async () => eval('1') } });";

  it('is in the report: what the scanner found, with its place, in all three forms', async () => {
    await using dir = await tempDir();
    const { run } = await aPackage(dir.path, { source: EVIL });
    const shown: { scan: { outcome: string; findings: readonly { rule: string; line?: number; message: string; outcome: string; file: string }[] } } = JSON.parse((await run('inspect', '--json')).stdout);
    const worst = shown.scan.findings.find(({ file, outcome }) => file === 'plugin.js' && outcome !== 'note');
    expect.assert(worst);
    expect(shown.scan.outcome).not.toBe('pass');
    expect((await run('verify')).stdout).toContain(`${worst.outcome} ${worst.rule}`);
    const { code, sarif, failed } = await sarifOf(dir.path, '--trust', 'manifests/trust');
    expect(code).toBe(0);
    expect(failed.find(({ ruleId, message }) => ruleId === `scan/${worst.rule}` && message.text === worst.message.replaceAll(/[\\[\]]/g, String.raw`\$&`))).toMatchObject({ level: worst.outcome === 'block' ? 'error' : 'warning', locations: [{ physicalLocation: { artifactLocation: { uri: 'plugin.js' }, region: { startLine: worst.line } } }] });
    expect(sarif.runs[0].tool.driver.rules.map(({ id }) => id)).toContain(`scan/${worst.rule}`);
  });

  it('is what the package says and no link: brackets of foreign text are escaped in SARIF, and columns are those of JavaScript', async () => {
    await using dir = await tempDir();
    await aPackage(dir.path, { files: { 'sbom.cdx.json': JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', '[all is well](https://evil.example)': 1, 'x': 1, components: 7 }) }, manifest: { displayName: '[аll is well](https://evil.example)\\' } });
    const { stdout } = await runCommand(['inspect', 'p', '--sarif'], { cwd: dir.path });
    const sarif: Sarif = JSON.parse(stdout);
    expect(sarif.runs[0].columnKind).toBe('utf16CodeUnits');
    const texts = sarif.runs[0].results.map(({ message }) => message.text);
    expect(texts.join()).toContain('\\[');
    for (const text of texts) expect(text).not.toMatch(/(?<!\\)[[\]]/);
    await rm(join(dir.path, 'p/plugin.dsse.json'));
    const broken = await runCommand(['inspect', 'p', '--sarif'], { cwd: dir.path });
    expect((JSON.parse(broken.stdout) as Sarif).runs[0].invocations[0].exitCode).toBe(broken.code);
  });

  it('is one verdict: verify, inspect and scan know the same names of a home', async () => {
    await using home = await aHome([{ name: 'weathervane', kind: 'tool', source: SOURCE }]);
    await using dir = await tempDir();
    await buildTestPackage({ dir: join(dir.path, 'p'), id: 'tesf.weathervane', kind: 'tool', source: SOURCE, key: newTestKey('tesf') });
    const findings = async (command: string) => {
      const told: { readonly scan?: { readonly findings: unknown }; readonly findings?: unknown } = JSON.parse((await runCommand([command, 'p', '--json', '--home', home.path], { cwd: dir.path })).stdout);
      return told.scan?.findings ?? told.findings;
    };
    const [verified, inspected, scanned] = [await findings('verify'), await findings('inspect'), await findings('scan')];
    expect(scanned).toContainEqual(expect.objectContaining({ rule: 'look-alike', message: expect.stringContaining('test.weathervane') }));
    expect([verified, inspected]).toEqual([scanned, scanned]);
  });

  it('is in the report: what the policy of the home says of its source', async () => {
    await using home = await aHome();
    await using dir = await tempDir();
    const { key } = await aPackage(dir.path);
    await writeTrustRecord(home.path, key);
    const rules = async () => {
      const { scan }: { scan: { findings: readonly { rule: string }[] } } = JSON.parse((await runCommand(['verify', 'p', '--home', home.path, '--json'], { cwd: dir.path })).stdout);
      return new Set(scan.findings.map(({ rule }) => rule));
    };
    const before = await rules();
    const file = join(home.path, 'manifests/host.json');
    const config: { trust?: object } = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...config, trust: { ...config.trust, requireProvenance: true } }));
    expect([...(await rules())].filter((rule) => !before.has(rule))).toHaveLength(1);
  });

  it('is in the report: the word of this home’s reviewers about exactly this package, and why one does not count', async () => {
    await using home = await aHome();
    await using dir = await tempDir();
    const { packageDigest, key } = await aPackage(dir.path);
    await writeTrustRecord(home.path, key);
    const [alice, bob] = [aReviewer('alice'), aReviewer('bob')];
    await trustReviewers(home.path, alice, bob);
    const about = { subject: 'acme.x-1.0.0', packageDigest: packageDigest ?? '', grantsDigest: `sha256:${'1'.repeat(64)}`, instance: 'x' };
    await putApproval(home.path, await alice.signs({ ...about, note: 'read every line' }));
    await putApproval(home.path, await bob.signs({ ...about, decision: 'reject', note: 'no licence', issuedAt: '2026-11-20T00:00:00.000Z', expiresAt: '2026-11-20T01:00:00.000Z' }));
    await putApproval(home.path, await bob.signs({ ...about, packageDigest: `sha256:${'2'.repeat(64)}` }));
    const run = (...words: readonly string[]) => runCommand(['inspect', 'p', '--home', home.path, ...words], { cwd: dir.path });
    expect((await run('--json')).json()).toMatchObject({ reviews: [{ reviewer: 'alice', decision: 'approve', note: 'read every line', instance: 'x', problem: null }, { reviewer: 'bob', decision: 'reject', problem: expect.stringContaining('expired') }] });
    expect((await run()).stdout).toContain("approved by alice for 'x'");
  });
});

describe('for people', () => {
  it('a report fits a narrow terminal, in colours only there', async () => {
    await using dir = await tempDir();
    const { run } = await aPackage(dir.path, { manifest: { description: 'word '.repeat(60), capabilities: [{ name: 'http.fetch', origins: ['https://api.example'], methods: ['GET', 'POST'], reason: 'because '.repeat(30) }] } });
    const wide = await run('inspect');
    expect(wide.stdout).not.toContain('\u001b');
    const narrow = await runCommand(['inspect', 'p', '--trust', 'manifests/trust'], { cwd: dir.path, columns: 60 });
    // oxlint-disable-next-line no-control-regex -- colours are what it takes out
    const lines = narrow.stdout.replaceAll(/\u001b\[\d+m/g, '').split('\n');
    // Only what must not be cut is longer: digests, key ids, paths.
    const long = lines.filter((line) => line.length > 60 && line.split(' ').every((word) => word.length <= 40));
    expect(long).toEqual([]);
    expect(lines.join(' ').replaceAll(/\s+/g, ' ')).toContain('because because because');
  });

  it('nothing that a package says reaches the terminal as it came', async () => {
    await using dir = await tempDir();
    const evil = '\u001b[2J\u202eevil\u0007';
    const { run, path, key } = await aPackage(dir.path, { manifest: { displayName: evil, description: evil, license: evil, repository: evil, capabilities: [{ name: 'kv', quotaBytes: 1, reason: evil }] } });
    await writeFile(join(path, 'sbom.cdx.json'), JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', metadata: { component: { type: 'application', name: evil, version: evil, hashes: [{ alg: 'SHA-256', content: sha256(SOURCE) }] } }, components: [{ type: 'library', name: evil, version: evil, licenses: [{ license: { name: evil } }] }] }));
    await signPackage(path, { key, now: Date.now() });
    for (const command of ['verify', 'inspect'] as const) {
      const { stdout, stderr } = await run(command);
      // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
      expect(`${stdout}${stderr}`).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
      expect(stdout).toContain('�');
    }
  });

  it('--sarif and --json at once are a mistake in usage', async () => {
    await using dir = await tempDir();
    const { run } = await aPackage(dir.path);
    expect(await run('verify', '--json', '--sarif')).toMatchObject({ code: 2 });
  });
});

describe('verify --rebuild', () => {
  const PLUGIN = `import { defineSkill } from '@gatehouse/plugin-sdk';\nexport default defineSkill({ respond: () => ({ replies: [{ text: 'hello' }] }) });\n`;
  const MANIFEST = { manifestVersion: 1, id: 'acme.x', publisher: 'acme', version: '1.0.0', kind: 'skill', displayName: 'X', description: '', license: 'MIT', hostApi: '^1.0.0' };

  /** A source with its signed package in `p`, and a home that trusts it. */
  async function aSource(dir: string, home: string, sources: Readonly<Record<string, string>> = {}) {
    const source = join(dir, 'source');
    for (const [name, text] of Object.entries({ 'plugin.json': JSON.stringify(MANIFEST), 'src/plugin.ts': PLUGIN, 'README.md': '# X\n', ...sources })) {
      await mkdir(dirname(join(source, name)), { recursive: true });
      await writeFile(join(source, name), text);
    }
    const key = newTestKey('acme');
    const { path, packageDigest } = await buildPlugin(source);
    await signPackage(path, { key, now: Date.now(), provenance: { source: 'https://git.example/acme/x', commit: COMMIT } });
    await cp(path, join(dir, 'p'), { recursive: true });
    await rm(path, { recursive: true });
    await writeTrustRecord(home, key);
    const run = (...words: readonly string[]) => runCommand(['verify', 'p', '--rebuild', 'source', '--home', home, ...words], { cwd: dir });
    return { source, packageDigest, run };
  }

  it('says that the source makes the same bytes, keeps the verdict, and shows it from then on', async () => {
    await using home = await aHome();
    await using dir = await tempDir();
    const { source, packageDigest, run } = await aSource(dir.path, home.path, { '.git/HEAD': 'ref: refs/heads/main\n', '.git/packed-refs': `# pack-refs\n${COMMIT} refs/heads/main\n` });
    const told = await run();
    expect(told).toMatchObject({ code: 0, stdout: expect.stringContaining('reproduced: all 4 files are the same') });
    expect(told.stdout).toContain(`from commit ${COMMIT}, which the release names`);
    expect(await readdir(source)).not.toContain('dist');
    const record: unknown = JSON.parse(await readFile(join(home.path, 'manifests/trust/rebuilds', `${packageDigest.slice(7)}.json`), 'utf8'));
    expect(record).toMatchObject({ plugin: 'acme.x', version: '1.0.0', packageDigest, attempts: [{ verdict: 'reproduced', commit: COMMIT, files: 4 }] });
    expect((await runCommand(['inspect', 'p', '--home', home.path, '--json'], { cwd: dir.path })).json()).toMatchObject({ rebuilds: [{ verdict: 'reproduced' }] });
    expect((await sarifOf(dir.path, '--home', home.path)).sarif.runs[0].results.find(({ ruleId }) => ruleId === 'rebuild')).toMatchObject({ kind: 'pass' });
  });

  it('says which files differ and where', async () => {
    await using home = await aHome();
    await using dir = await tempDir();
    const { source, run } = await aSource(dir.path, home.path);
    await writeFile(join(source, 'src/plugin.ts'), PLUGIN.replace("'hello'", "'hullo'"));
    await writeFile(join(source, 'README.md'), '# X\nand more\n');
    const told = await run();
    expect(told.code).toBe(3);
    for (const part of ['differs: README.md, plugin.js, sbom.cdx.json', 'plugin.js: first different at line', '"hello"', '"hullo"', 'README.md: first different at line 2']) expect(told.stdout).toContain(part);
    expect((await run('--json')).json()).toMatchObject({ ok: true, rebuild: { verdict: 'differs', differences: [{ name: 'README.md' }, { name: 'plugin.js', package: expect.stringMatching(/^sha256:/), rebuilt: expect.stringMatching(/^sha256:/) }, { name: 'sbom.cdx.json' }] }, rebuilds: [{ verdict: 'differs' }, { verdict: 'differs' }] });
    expect((await sarifOf(dir.path, '--home', home.path, '--rebuild', 'source')).code).toBe(3);
    expect((await sarifOf(dir.path, '--home', home.path)).failed.find(({ ruleId }) => ruleId === 'rebuild')).toMatchObject({ level: 'error', locations: [{ physicalLocation: { artifactLocation: { uri: 'README.md' } } }] });
  });

  it('says why it could not build', async () => {
    await using home = await aHome();
    await using dir = await tempDir();
    const { source, run } = await aSource(dir.path, home.path);
    await writeFile(join(source, 'src/plugin.ts'), "import 'not-there';\n");
    expect((await run('--json'))).toMatchObject({ code: 3 });
    expect((await run()).stdout).toContain('could not be built');
    for (const start of ['', 'x']) {
      // A problem that is cut where a character has two halves is kept as text all the same.
      await writeFile(join(source, 'src/plugin.ts'), `import '${start}${'😀'.repeat(2000)}';\n`);
      expect(await run('--json')).toMatchObject({ code: 3 });
    }
    expect((await run('--json')).json()).toMatchObject({ rebuilds: expect.arrayContaining([expect.objectContaining({ verdict: 'could-not-build' })]) });
    expect((await runCommand(['verify', 'p', '--rebuild', 'nowhere', '--home', home.path], { cwd: dir.path })).stdout).toContain('there is no plugin.json');
  });

  it('is shown by a running host, with what the release says it was made from', async () => {
    await using home = await aHome();
    await using dir = await tempDir();
    const { run } = await aSource(dir.path, home.path);
    expect(await runCommand(['plugins', 'enable', 'p', '--home', home.path, '--yes'], { cwd: dir.path })).toMatchObject({ code: 0 });
    await using gatehouse = await startGatehouse(home);
    const show = async () => (await gatehouse.api('/plugins/x')).json();
    expect(await show()).toMatchObject({ madeFrom: { source: 'https://git.example/acme/x', commit: COMMIT } });
    expect(await show()).not.toHaveProperty('rebuild');
    expect(await run()).toMatchObject({ code: 0 });
    expect(await show()).toMatchObject({ rebuild: { verdict: 'reproduced', at: expect.any(String) } });
  });

  it('does not believe a record of another package, and does not write over one it cannot read', async () => {
    await using home = await aHome();
    await using dir = await tempDir();
    const { packageDigest, run } = await aSource(dir.path, home.path);
    await run();
    const file = join(home.path, 'manifests/trust/rebuilds', `${packageDigest.slice(7)}.json`);
    await writeFile(file, (await readFile(file, 'utf8')).replace(packageDigest, `sha256:${'0'.repeat(64)}`));
    expect((await runCommand(['inspect', 'p', '--home', home.path, '--json'], { cwd: dir.path })).json()).toMatchObject({ rebuilds: [], rebuildProblem: expect.stringContaining('speaks of') });
    await writeFile(file, '{');
    expect((await run()).code).toBe(2);
    expect(await readFile(file, 'utf8')).toBe('{');
  });
});

/** Signs whatever lies there: a manifest that `sign` would refuse too. */
async function signAsItIs(path: string, key: ReturnType<typeof newTestKey>): Promise<void> {
  const [{ readPackage }, { subjectOf, writeStatement }, { preAuthEncoding, writeEnvelope }, { sign }] = await Promise.all([import('../../host/trust/package.ts'), import('../../host/trust/statement.ts'), import('../../host/trust/dsse.ts'), import('../../host/trust/keys.ts')]);
  const payload = writeStatement(subjectOf((await readPackage(path)).files), { id: 'acme.x', version: '1.0.0', publisher: 'acme', issuedAt: '2026-11-21T08:00:00.000Z' });
  await writeFile(join(path, 'plugin.dsse.json'), writeEnvelope({ payload, keyid: key.keyid, signature: sign(key, preAuthEncoding(payload)) }));
}
