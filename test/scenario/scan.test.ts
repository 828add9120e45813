// The scanner in a running host: scans are kept, made again on demand, and not made again by a start.
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { subscribe } from '../../host/events.ts';
import type { ScanView } from '../../schemas/scan.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestPlugin } from '../support/home.ts';
import { runCommand } from '../support/run-command.ts';

const answering = (name: string): TestPlugin => ({
  name, kind: 'skill', manifest: { skill: { triggers: { prefixes: [`${name} `] } } },
  source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }) => ({ replies: [{ text: '${name} heard ' + message.text }] }) } });`,
});

const scansOf = async (it: Gatehouse, query = '') => (await it.api(`/scans${query}`)).json<{ items: ScanView[] }>().items;

describe('scans', () => {
  it('of a start are kept, shown, made again on demand, and not made again by the next start', async () => {
    await using home = await aHome([answering('first'), answering('second')]);
    let looked = 0;
    using _ = { [Symbol.dispose]: subscribe('scan.ended', () => void (looked += 1)) };
    {
      await using it = await startGatehouse(home);
      expect(looked).toBe(2);
      expect(it.host.plugins.show('first')).toMatchObject({ scan: { outcome: 'pass' } });
      const [{ id } = { id: '' }] = await scansOf(it, '?plugin=test.first');
      const again = (await it.api('/plugins/first/scan', { method: 'POST' })).json<ScanView>();
      expect(again).toMatchObject({ id, plugin: 'test.first', outcome: 'pass' });
      expect(looked).toBe(3);
      expect(await scansOf(it)).toHaveLength(2);
      expect((await it.api('/plugins/nobody/scan', { method: 'POST' })).status).toBe(404);
      expect((await it.fetch('/api/v1/plugins/first/scan', { method: 'POST' })).status).toBe(401);
    }
    await using it = await startGatehouse(home);
    expect(looked).toBe(3);
    expect(it.host.plugins.show('first')).toMatchObject({ state: 'active', scan: { outcome: 'pass' } });
  });

  it('of a big package are waited for by whoever asks, and hold up nothing else', async () => {
    await using home = await aHome([answering('small')], { reload: { watch: false } });
    await using it = await startGatehouse(home);
    const big = answering('big');
    await home.add({ ...big, source: `// ${'x'.repeat(40_000)}\n${big.source}` });
    expect((await it.api('/reload', { method: 'POST' })).status).toBe(200);
    expect(it.host.plugins.show('big')).toMatchObject({ state: 'active', scan: { outcome: 'pass' } });
  });

  it('of what is warned of keep it waiting, in the host and on files alone, and say what it is about', async () => {
    const odd = { ...answering('odd'), source: `${answering('odd').source}\nconst run = new Function('return 1');` };
    await using home = await aHome([odd], { trust: { scan: { onWarn: 'approval' } } });
    {
      await using it = await startGatehouse(home);
      expect(it.host.plugins.show('odd')).toMatchObject({ state: 'pending-approval', code: 'SCAN_WARNING', scan: { outcome: 'warn', risk: 'high' } });
    }
    const scanned = await runCommand(['scan', 'odd', '--json', '--home', home.path]);
    expect(scanned.code).toBe(3);
    expect(scanned.json<ScanView>()).toMatchObject({ plugin: 'test.odd', outcome: 'warn', findings: [{ rule: 'dynamic-code', file: 'plugin.js', line: 2 }, {}, {}] });
    const folder = await runCommand(['scan', 'plugins/test.odd-1.0.0', '--home', home.path], { cwd: home.path });
    expect(folder.code).toBe(3);
    expect(folder.stdout).toMatch(/warn dynamic-code \(high\) in plugin\.js:2:\d+: .*Function\s+constructor/);
    expect(folder.stdout).toMatch(/^ {2}\S/m); // what to do about it, below it
    // A folder that has the name of an instance is no way to show a reviewer other code.
    await home.add(answering('decoy'));
    await cp(join(home.path, 'plugins/test.decoy-1.0.0'), join(home.path, 'odd'), { recursive: true });
    const inPlace = { cwd: home.path };
    expect((await runCommand(['scan', 'odd', '--json', '--home', home.path], inPlace)).json<ScanView>()).toMatchObject({ plugin: 'test.odd', outcome: 'warn' });
    expect((await runCommand(['scan', './odd', '--json', '--home', home.path], inPlace)).json<ScanView>()).toMatchObject({ plugin: 'test.decoy' });
  });
});
