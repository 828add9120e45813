// The scanner as a whole: what it lets pass, what it makes of hostile packages, and what its answers come to. Cases of each rule are data, in test/fixtures/scan/.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildPlugin } from '../../host/authoring/build.ts';
import { newPlugin } from '../../host/authoring/new.ts';
import { readManifest } from '../../host/trust/manifest.ts';
import { readPackage } from '../../host/trust/package.ts';
import { lookApart } from '../../host/trust/scan/apart.ts';
import { NO_POLICY } from '../../host/trust/scan/finding.ts';
import { lookThrough } from '../../host/trust/scan/look.ts';
import { CONTENT_RULES, PLACE_RULES, RULES_VERSION } from '../../host/trust/scan/rules.ts';
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

async function scanFolder(folder: string): Promise<ScanResult> {
  const { path } = await buildPlugin(folder);
  const { files } = await readPackage(path);
  const manifest = readManifest(files.get('plugin.json') ?? Buffer.alloc(0), 'plugin.json');
  return scanRelease(files, manifest, { packageDigest: DIGEST, policy: NO_POLICY, knownNames: ['acme.'], isSettled: false, now: 0 });
}

const warnings = ({ findings }: ScanResult) => findings.filter(({ outcome }) => outcome !== 'note');

describe('what honest plugins are told', () => {
  it.for(PLUGINS)('the first-party plugin %s passes without a warning', async (name) => {
    const result = await scanFolder(join(ROOT, 'plugins', name));
    expect(warnings(result)).toEqual([]);
    expect(result.outcome).toBe('pass');
  });

  it.for(KINDS)('a new %s passes without a warning', async (kind) => {
    await using dir = await tempDir();
    const { path } = await newPlugin(kind, join(dir.path, 'plugin'), 'acme.weather');
    expect(warnings(await scanFolder(path))).toEqual([]);
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

  it('says which rules it was made by, and nothing on the list is named twice', () => {
    expect(RULES_VERSION).toMatch(/^1-[0-9a-f]{16}$/);
    const names = [...CONTENT_RULES, ...PLACE_RULES].map(({ name }) => name);
    expect(names).toEqual([...new Set(names)]);
  });

  it('shows nothing of a package that could hide or reorder what a reviewer reads', async () => {
    const { findings } = await scanOf({ script: "const apiKey = '9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c'; x['\\x63\\x6f\\x6e\\x73\\x6f\\x6c\\x65\\x21\u202e\\n\\x1b[2J'];" });
    expect(findings.length).toBe(2);
    // oxlint-disable-next-line no-control-regex -- what must not be there
    for (const { message } of findings) expect(message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e]/);
    expect(JSON.stringify(findings)).not.toContain('9f8a7b6c5d4e');
  });
});

describe('hostile packages', () => {
  it('a script that makes the parser work for hours is given up at the deadline, and that is a finding', async () => {
    // Each name is looked for among all that were declared before it.
    const script = `let ${Array.from({ length: 60_000 }, (_, index) => `a${index}`).join()};`;
    const startedAt = performance.now();
    const findings = await lookApart(contentOf({ script }), { deadlineMs: 400, heapMb: 512 });
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    expect(findings).toMatchObject([{ rule: 'scanner', outcome: 'warn', risk: 'high', message: expect.stringContaining('took longer than') }]);
  });

  it('a script that takes all memory ends its process and not the host', async () => {
    const findings = await lookApart(contentOf({ script: ';'.repeat(1_500_000) }), { deadlineMs: 60_000, heapMb: 40 });
    expect(findings).toMatchObject([{ rule: 'scanner', outcome: 'warn', message: expect.stringContaining('memory') }]);
  });

  it('one line of 16 MiB, half a character, and nothing at all are looked through', async () => {
    const line = await lookApart(contentOf({ script: `'${'a'.repeat(16 * 1024 * 1024)}'` }), { deadlineMs: 60_000, heapMb: 1024 });
    expect(line).toEqual([]);
    const { manifest, files } = contentOf({});
    const broken = lookThrough({ manifest, files: new Map([...files, ['plugin.js', Buffer.from([0x2f, 0x2f, 0xc3, 0x28, 0xff])]]) });
    expect(broken).toEqual(expect.arrayContaining([expect.objectContaining({ rule: 'unreadable-code', message: expect.stringContaining('UTF-8') })]));
    files.delete('plugin.js');
    expect(() => lookThrough({ manifest, files })).not.toThrow();
  });

  it('constants made of constants made of constants are read once each', () => {
    const script = `const a0 = 'x';${Array.from({ length: 600 }, (_, index) => `const a${index + 1} = a${index} + a${index};`).join('')}f(a600);`;
    const startedAt = performance.now();
    lookThrough(contentOf({ script }));
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });

  it('whatever the bytes are, there is an answer that fits the schema', async () => {
    const check: { is(value: unknown): boolean } = compileSchema(ScanResult);
    const { manifest, files } = contentOf({ kind: 'channel' });
    const pieces = fc.constantFrom('eval(', 'ctx', "['http']", '.fetch(', '`${', '}`', '\\u{', '//', '://', '169.254.169.254', '(', ')', '{', '}', '=>', 'const { kv } = ', '/(?<a>', "'", '"', '\n', '\u202e', '\ufeff', 'eyJ', '-----BEGIN PRIVATE KEY-----', '_0x3fa', '\\x41', 'async ', 'class A { static #x', 'import(', '0x1', ';');
    const code = fc.array(pieces, { maxLength: 40 }).map((all) => Buffer.from(all.join('')));
    const bytes = fc.oneof(code, fc.uint8Array({ maxLength: 400 }).map((all) => Buffer.from(all)), fc.string({ unit: 'binary', maxLength: 200 }).map((text) => Buffer.from(text)));
    await fc.assert(
      fc.asyncProperty(bytes, bytes, async (script, other) => {
        const all = new Map([...files, ['plugin.js', script], ['assets/x.js', other], ['README.md', other], ['sbom.cdx.json', other]]);
        const result = await scanRelease(all, manifest, { packageDigest: DIGEST, policy: NO_POLICY, knownNames: ['acme.', 'a.b', 'gatehouse.'], isSettled: false, now: 0 });
        expect(check.is(result)).toBe(true);
        expect(result.findings.filter(({ message }) => message.includes('the rule failed'))).toEqual([]);
      }),
      { seed: 20_261_121, numRuns: 600 },
    );
  });
});

it('counts the slips between two names', () => {
  const cases: [string, string, number][] = [['gatehouse', 'gatehouse', 0], ['gatehouse', 'gatehous', 1], ['gatehouse', 'gatheouse', 1], ['gatehouse', 'gatehouze', 1], ['gatehouse', 'gateways', 3], ['a', 'abcdef', 3]];
  for (const [one, other, distance] of cases) expect([one, other, editDistance(one, other, 2)]).toEqual([one, other, distance]);
});
