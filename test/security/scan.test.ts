// Packages made to fool the scanner, its reader, or the host that scans: attacks as code.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileSchema } from '../../host/schema.ts';
import { lookApart } from '../../host/trust/scan/apart.ts';
import { NO_POLICY } from '../../host/trust/scan/finding.ts';
import { lookThrough } from '../../host/trust/scan/look.ts';
import { scanRelease } from '../../host/trust/scan/scan.ts';
import { ScanResult } from '../../schemas/scan.ts';
import { contentOf, DIGEST, scanOf } from '../support/scan-cases.ts';

describe('attack g230 scan-disguise', () => {
  const body = (code: string) => `gatehouse.register({ kind: 'tool', handlers: { call: async (input, ctx) => { ${code} } } });`;
  it.for([
    ["capability-not-asked", "return ctx['ht' + 'tp']['fe' + 'tch'](input.url);"],
    ["capability-not-asked", "return ctx[['p', 't', 't', 'h'].reverse().join('')].fetch(input.url);"],
    ["capability-not-asked", "return ctx[String.fromCharCode(0x68, 0x74, 0x74, 0x70)].fetch(input.url);"],
    ["capability-not-asked", "const { ['ht' + 'tp']: a } = ctx; const { fetch: b } = a; return b(input.url);"],
    ["capability-not-asked", "let a = 'h'; const k = 'tt'; return ctx['h' + k + 'p']?.fetch(input.url) + a;"],
    ["capability-not-asked", "return ctx[input.a](input.b);"],
    ["obfuscated-code", "return \\u0065val(input.code);"],
    ["dynamic-code", "return globalThis['e' + 'v' + 'al'](input.code);"],
    ["dynamic-code", "return [][`at`][`constr${'uctor'}`](input.code)();"],
    ["dynamic-code", "return Reflect.get(ctx.sleep, 'con' + 'structor')(input.code)();"],
  ] as const)('%s finds %s', async ([rule, code]) => {
    const { findings } = await scanOf({ script: body(code) });
    expect(findings.filter(({ outcome }) => outcome === 'warn').map((each) => each.rule)).toContain(rule);
  });
});

describe('hostile packages', () => {
  it('attack g232 scan-lure: nothing of a package hides or reorders what a reviewer reads', async () => {
    const { findings } = await scanOf({ script: "const apiKey = '9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c'; x['\\x63\\x6f\\x6e\\x73\\x6f\\x6c\\x65\\x21\u202e\\n\\x1b[2J'];" });
    expect(findings.map(({ rule }) => rule).toSorted()).toEqual(['embedded-secret', 'hidden-code', 'obfuscated-code']);
    // oxlint-disable-next-line no-control-regex -- what must not be there
    for (const { message } of findings) expect(message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e]/);
    expect(JSON.stringify(findings)).not.toContain('9f8a7b6c5d4e');
  });

  it('attack g231 scan-bomb: a script that makes the parser work for hours is given up at the deadline, and that is a finding', async () => {
    // Each name is looked for among all that were declared before it.
    const script = `let ${Array.from({ length: 60_000 }, (_, index) => `a${index}`).join()};`;
    const startedAt = performance.now();
    const findings = await lookApart(contentOf({ script }), { deadlineMs: 400, heapMb: 512 });
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    expect(findings).toMatchObject([{ rule: 'scanner', outcome: 'warn', risk: 'high', message: expect.stringContaining('took longer than') }]);
  });

  it('attack g231 scan-bomb: a script that takes all memory ends its process and not the host', async () => {
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
