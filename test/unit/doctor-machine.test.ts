// What `gatehouse doctor` says of the machine, by breaking it.
import { spawnSync } from 'node:child_process';
import { mkdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { examine } from '../../host/cli/doctor.ts';
import { systemClock } from '../../host/clock.ts';
import { loadConfig } from '../../host/config.ts';
import { aHome } from '../support/home.ts';
import { LAUNCHER } from '../support/process.ts';

describe('doctor', () => {
  it('warns of a clock that is behind what the store was written at, with what to do', async () => {
    await using home = await aHome();
    const config = loadConfig({ home: home.path, env: {}, cwd: home.path });
    await mkdir(join(config.dataDir, 'store'), { recursive: true, mode: 0o700 });
    await home.write('data/store/elsewhere', 'x');
    const ask = async () => (await examine({ config, env: {}, clock: systemClock })).filter(({ check }) => check === 'clock');
    expect(await ask()).toMatchObject([{ state: 'ok' }]);
    const ahead = new Date(systemClock.now() + 3_600_000);
    await utimes(join(config.dataDir, 'store/elsewhere'), ahead, ahead);
    expect(await ask()).toMatchObject([{ state: 'warning', detail: expect.stringMatching(/^it is 3[56]\d\d s behind/), fix: expect.stringContaining('NTP') }]);
  });

  it.skipIf(process.platform !== 'linux')('says how far the clock was set since the host started', async () => {
    await using home = await aHome();
    const config = loadConfig({ home: home.path, env: {}, cwd: home.path });
    const said = async (startedAtMs: number) => {
      await home.write('data/run.json', { pid: process.pid, address: 'http://127.0.0.1:1', startedAt: new Date(startedAtMs).toISOString() });
      return (await examine({ config, env: {}, clock: systemClock })).filter(({ check, detail }) => check === 'clock' && detail.includes('since the host started'));
    };
    const began = systemClock.now() - process.uptime() * 1000;
    expect(await said(began)).toEqual([]);
    expect(await said(began - 3_600_000)).toMatchObject([{ state: 'warning', detail: expect.stringMatching(/^it was set forward by 3[56]\d\d s/), fix: expect.stringContaining('NTP') }]);
    expect(await said(began + 3_600_000)).toMatchObject([{ state: 'warning', detail: expect.stringMatching(/^it was set back by 3[56]\d\d s/) }]);
  });

  it('warns when few files may be open', async () => {
    await using home = await aHome();
    const { stdout } = spawnSync('bash', ['-c', `ulimit -n 512; exec "${process.execPath}" "${LAUNCHER}" doctor --json`], { cwd: home.path, encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '' } });
    const { findings } = JSON.parse(stdout) as { findings: { check: string }[] };
    expect(findings.filter(({ check }) => check === 'limits')).toMatchObject([{ state: 'warning', detail: 'only 512 files may be open', fix: expect.stringContaining('LimitNOFILE') }]);
  });
});
