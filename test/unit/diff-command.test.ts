// `gatehouse diff` as people and scripts use it: folders and archives, with and without a home, and nothing an author wrote reaches a terminal raw.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aHome } from '../support/home.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';

const SOURCE = 'gatehouse.register({ kind: "tool", handlers: {} });';
const FETCH = { name: 'http.fetch', origins: ['https://evil.example'], methods: ['POST'] };
const key = newTestKey('acme');

async function packages(of: Readonly<Record<string, Partial<Parameters<typeof buildTestPackage>[0]>>>) {
  const dir = await tempDir();
  for (const [name, changes] of Object.entries(of)) await buildTestPackage({ dir: join(dir.path, name), id: 'acme.weather', kind: 'tool', source: SOURCE, key, ...changes });
  return dir;
}

describe('diff', () => {
  it('says first what needs a new approval, with exit code 3 for those who ask', async () => {
    await using dir = await packages({ one: {}, two: { version: '1.1.0', source: `${SOURCE} // more`, manifest: { capabilities: [FETCH], description: 'New.' } } });
    const ran = await runCommand(['diff', 'one', 'two'], { cwd: dir.path });
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout).toMatch(/acme\.weather {2}1\.0\.0 → 1\.1\.0[^]+Needs a new approval\n {2}! it may now send POST requests to https:\/\/evil\.example[^]+Says otherwise\n {2}description:  → New\.[^]+~ plugin\.js {2}51 → 59 bytes/);
    expect((await runCommand(['diff', 'one', 'two', '--exit-code'], { cwd: dir.path })).code).toBe(3);
    expect((await runCommand(['diff', 'two', 'one', '--exit-code'], { cwd: dir.path })).code).toBe(3); // a rollback
    expect((await runCommand(['diff', 'one', 'one', '--exit-code'], { cwd: dir.path })).code).toBe(0);
  });

  it('takes archives, and prints the same value as JSON', async () => {
    await using dir = await packages({ one: {}, two: { version: '1.1.0', source: `${SOURCE} // fixed` } });
    expect((await runCommand(['pack', 'two', '--out', 'two.tgz'], { cwd: dir.path })).code).toBe(0);
    const [shown, told] = [await runCommand(['diff', 'one', 'two.tgz', '--json'], { cwd: dir.path }), await runCommand(['diff', 'one', 'two.tgz'], { cwd: dir.path })];
    expect(shown.json()).toMatchObject({ direction: 'upgrade', needsApproval: false, reasons: [], before: { version: '1.0.0', verified: null }, after: { version: '1.1.0', keyid: key.keyid }, files: { changed: [{ name: 'plugin.js' }, { name: 'plugin.json' }] } });
    expect(told.stdout).toContain('Nothing it may do has changed.');
    expect(told.stdout).toContain('its signature was not checked');
  });

  it('tells another signer, and compares what does not verify, saying so', async () => {
    const other = newTestKey('acme');
    await using home = await aHome();
    await writeTrustRecord(home.path, key);
    await using dir = await packages({ one: {}, two: { version: '1.1.0', key: other } });
    const at = { cwd: dir.path };
    const [told, shown] = [await runCommand(['diff', 'one', 'two', '--home', home.path], at), await runCommand(['diff', 'one', 'two', '--home', home.path, '--json'], at)];
    expect(told.stdout).toContain(`! another signer: ${other.keyid} instead of ${key.keyid}`);
    expect(told.stdout).toContain('does not verify: ');
    expect(shown.json()).toMatchObject({ needsApproval: true, before: { verified: true }, after: { verified: false, keyid: other.keyid, problem: expect.stringContaining(other.keyid) } });
  });

  it('prints nothing that moves or recolours a terminal', async () => {
    const nasty = 'x\u001b[2J\u202e\u0007y';
    await using dir = await packages({ one: {}, two: { version: '1.1.0', manifest: { displayName: nasty, description: nasty, config: { type: 'object', additionalProperties: false, properties: { [nasty]: { type: 'string', description: nasty } } } }, files: { 'sbom.cdx.json': JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', components: [{ type: 'library', name: nasty, version: nasty }] }) } } });
    const { stdout } = await runCommand(['diff', 'one', 'two'], { cwd: dir.path });
    expect(stdout).toContain('displayName: acme.weather → x');
    // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  });

  it('says what is not there or no package', async () => {
    await using dir = await packages({ one: {} });
    expect(await runCommand(['diff', 'one', 'nowhere', '--json'], { cwd: dir.path })).toMatchObject({ code: 3, stdout: expect.stringContaining('PACKAGE_') });
  });
});
