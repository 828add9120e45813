// The scanner as a whole: what it lets pass, what it makes of hostile packages, and what its answers come to. Cases of each rule are data, in test/fixtures/scan/.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildPlugin } from '../../host/authoring/build.ts';
import { newPlugin } from '../../host/authoring/new.ts';
import { readManifest } from '../../host/trust/manifest.ts';
import { readPackage } from '../../host/trust/package.ts';
import { NO_POLICY } from '../../host/trust/scan/finding.ts';
import { CONTENT_RULES, PLACE_RULES, RULES_VERSION, USED_FROM_OUTSIDE } from '../../host/trust/scan/rules.ts';
import { isSmall, resultOf, scanRelease, worstInWords } from '../../host/trust/scan/scan.ts';
import { editDistance } from '../../host/trust/scan/rules/look-alike.ts';
import { compileSchema } from '../../host/schema.ts';
import { PluginKind } from '../../schemas/plugin-manifest.ts';
import { ScanResult, type ScanFinding } from '../../schemas/scan.ts';
import { contentOf, DIGEST, scanOf } from '../support/scan-cases.ts';
import { tempDir } from '../support/temp.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PLUGINS = ['clock', 'concierge', 'echo', 'webchat', 'webhook', 'wordlist'];
const KINDS = (PluginKind as unknown as { enum: PluginKind[] }).enum;

async function scanFolder(path: string): Promise<ScanResult> {
  const { files } = await readPackage(path);
  const manifest = readManifest(files.get('plugin.json') ?? Buffer.alloc(0), 'plugin.json');
  return scanRelease(files, manifest, { packageDigest: DIGEST, policy: NO_POLICY, knownNames: ['acme.'], isSettled: false, now: 0 });
}

const warnings = ({ findings }: ScanResult) => findings.filter(({ outcome }) => outcome !== 'note');

describe('what honest plugins are told', () => {
  it.for(PLUGINS)('the first-party plugin %s passes without a warning', async (name) => {
    const result = await scanFolder(join(ROOT, 'plugins', name, 'dist'));
    expect(warnings(result)).toEqual([]);
    expect(result.outcome).toBe('pass');
  });

  it.for(KINDS)('a new %s passes without a warning', async (kind) => {
    await using dir = await tempDir();
    const { path } = await newPlugin(kind, join(dir.path, 'plugin'), 'acme.weather');
    expect(warnings(await scanFolder((await buildPlugin(path)).path))).toEqual([]);
  });

  it('big libraries that many plugins bring along pass, in a process of their own', async () => {
    const script = readFileSync(join(ROOT, 'node_modules/tweetnacl/nacl.min.js'), 'utf8') + readFileSync(join(ROOT, 'node_modules/tweetnacl/nacl-fast.min.js'), 'utf8');
    const content = contentOf({ script });
    expect(isSmall(content)).toBe(false);
    const result = await scanRelease(content.files, content.manifest, { packageDigest: DIGEST, policy: NO_POLICY, knownNames: [], isSettled: false, now: 0 });
    expect(warnings(result)).toEqual([]);
  });
});

describe('what findings come to', () => {
  const finding = (outcome: ScanFinding['outcome'], risk: ScanFinding['risk']): ScanFinding => ({ rule: 'r', outcome, risk, file: 'plugin.js', line: 3, message: `${outcome} ${risk}`, fix: '' });
  const result = (...findings: ScanFinding[]) => resultOf(findings, { now: 0, packageDigest: DIGEST });

  it('the worst outcome decides, the worst risk is told beside it, the worst finding comes first', () => {
    expect(result()).toMatchObject({ outcome: 'pass', risk: 'none' });
    expect(result(finding('note', 'low'))).toMatchObject({ outcome: 'pass', risk: 'low' });
    const mixed = result(finding('note', 'low'), finding('warn', 'critical'), finding('block', 'medium'), finding('warn', 'low'));
    expect(mixed).toMatchObject({ outcome: 'block', risk: 'critical' });
    expect(mixed.findings.map(({ message }) => message)).toEqual(['block medium', 'warn critical', 'warn low', 'note low']);
    expect(worstInWords(mixed)).toBe('r (plugin.js:3): block medium');
    expect(worstInWords(result(finding('warn', 'low'), finding('warn', 'low'), finding('warn', 'low')))).toMatch(/ And 1 more\.$/);
  });

  it('fits its schema, however much there is to say', async () => {
    const calls = 'eval(x);'.repeat(2000);
    const scanned = await scanOf({ script: calls });
    expect(scanned.findings.filter(({ rule }) => rule === 'dynamic-code')).toHaveLength(12);
    const check: { explain(value: unknown): unknown } = compileSchema(ScanResult);
    expect(check.explain(scanned)).toBeUndefined();
  });

  it('a dozen trifles hide nothing that comes after them: in the script, in what it asks for, in the code', async () => {
    const ask = (...origins: string[]) => ({ capabilities: [{ name: 'http.fetch', reason: 'To test.', origins, methods: ['GET'] }] });
    const local = "f('http://127.0.0.1:1/');".repeat(20);
    const places = await scanOf({ script: `${local} f('https://webhook.site/x');`, manifest: ask('https://api.acme.example') });
    const origins = await scanOf({ script: 'ctx.http.fetch(x);', manifest: ask(...Array.from({ length: 12 }, (_, index) => `https://93.184.216.${index + 1}`), 'https://169.254.169.254') });
    const code = await scanOf({ script: `${"Function('return this')();".repeat(12)} eval(x);` });
    expect([places.outcome, origins.outcome, code.outcome]).toEqual(['warn', 'block', 'warn']);
    expect(places.findings[0]).toMatchObject({ rule: 'suspicious-endpoint', outcome: 'warn', risk: 'high', message: expect.stringContaining('webhook.site') });
    expect(places.findings.filter(({ rule }) => rule === 'suspicious-endpoint').map(({ message }) => / And \d+ more of this rule/.exec(message)?.[0])).toEqual([...Array.from({ length: 11 }), ' And 9 more of this rule']);
  });

  it('the version of the rules is made of everything outside of their folder that they use, too', () => {
    const folder = join(ROOT, 'host/trust/scan');
    const imported = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).flatMap((name) => {
      const lines = readFileSync(join(folder, name), 'utf8').matchAll(/^(?:import|export) (?!type ).*from '(\.[^']+)\.ts';$/gm);
      return Array.from(lines, ([, from]) => relative(folder, join(folder, dirname(name), from ?? ''))).filter((path) => path.startsWith('..'));
    });
    expect([...new Set(imported)].toSorted()).toEqual([...USED_FROM_OUTSIDE].toSorted());
  });

  it('says which rules it was made by, and nothing on the list is named twice', () => {
    expect(RULES_VERSION).toMatch(/^1-[0-9a-f]{16}$/);
    const names = [...CONTENT_RULES, ...PLACE_RULES].map(({ name }) => name);
    expect(names).toEqual([...new Set(names)]);
  });
});

it('counts the slips between two names', () => {
  const cases: [string, string, number][] = [['gatehouse', 'gatehouse', 0], ['gatehouse', 'gatehous', 1], ['gatehouse', 'gatheouse', 1], ['gatehouse', 'gatehouze', 1], ['gatehouse', 'gateways', 3], ['a', 'abcdef', 3]];
  for (const [one, other, distance] of cases) expect([one, other, editDistance(one, other, 2)]).toEqual([one, other, distance]);
});
