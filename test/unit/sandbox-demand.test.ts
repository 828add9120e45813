// What strict demands of the walls around sandboxes: judged, and told alike by a start, by `check` and by `doctor`.
import { describe, expect, it } from 'vitest';
import { examineConfinement, judgeConfinement } from '../../host/sandbox/demand.ts';
import { thisMachine } from '../../host/sandbox/machine.ts';
import { WALL_ORDER, levelOf, type Wall } from '../../host/sandbox/walls.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome } from '../support/home.ts';
import { gatehouse } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';

const demand = (strict: boolean, jitless = true) => ({ strict, sandbox: { jitless } });
const without = (...walls: readonly Wall[]) => levelOf(WALL_ORDER.filter((wall) => !walls.includes(wall)), new Map(walls.map((wall) => [wall, `no ${wall} today`])));

describe('a level', () => {
  it('is enough without the walls that only bubblewrap gives', () => {
    for (const isRoot of [true, false]) expect(judgeConfinement(without('pidns', 'files', 'seccomp'), demand(true), { isRoot })).toEqual([]);
  });

  it.each<readonly [Wall]>([['netns'], ['rlimits'], ['nnp'], ['permission']])('without %s is refused in strict and warned about elsewhere, with reason and remedy', (wall) => {
    const [refused, ...others] = judgeConfinement(without(wall), demand(true), { isRoot: false });
    expect(others).toEqual([]);
    expect(refused).toMatchObject({ code: 'CONFINEMENT_TOO_WEAK', severity: 'fatal', rule: 'confinement' });
    expect(refused?.message).toContain(`no ${wall} (no ${wall} today)`);
    expect(refused?.fix).toMatch(/util-linux|Node\.js/);
    expect(judgeConfinement(without(wall), demand(false), { isRoot: false })).toMatchObject([{ severity: 'warning' }]);
  });

  it('without a user of its own is too weak for a host that is root, and for no other', () => {
    expect(judgeConfinement(without('uid'), demand(true), { isRoot: true })).toHaveLength(1);
    expect(judgeConfinement(without('uid'), demand(true), { isRoot: false })).toEqual([]);
  });

  it('with a just-in-time compiler is too weak', () => {
    expect(judgeConfinement(without(), demand(true, false), { isRoot: true })[0]?.message).toContain('no jitless');
  });

  it('tells everything that is missing at once', () => {
    expect(judgeConfinement(without('netns', 'nnp'), demand(true), { isRoot: false })[0]?.message).toMatch(/no netns .*, no nnp /);
  });
});

it('a machine where no sandbox starts is the weakest there is', async () => {
  const { level, diagnostics } = await examineConfinement(demand(true), { ...thisMachine(), node: '/nowhere/node' });
  expect(level).toBeUndefined();
  expect(diagnostics).toMatchObject([{ code: 'CONFINEMENT_TOO_WEAK', severity: 'fatal' }]);
});

describe('strict with the compiler switched on', () => {
  const weak = { strict: true, sandbox: { jitless: false } };

  it('refuses to start, and `check` and `doctor` foretell it', async () => {
    await using home = await aHome([], weak);
    await expect(startGatehouse(home)).rejects.toMatchObject({ name: 'HostRefused', diagnostics: [{ code: 'CONFINEMENT_TOO_WEAK', severity: 'fatal' }] });
    const started = await gatehouse(['start', '--json', '--home', home.path]);
    expect(started.code).toBe(3);
    expect(started.json<{ event: string; diagnostics: { code: string }[] }>()).toMatchObject({ event: 'refused', diagnostics: [{ code: 'CONFINEMENT_TOO_WEAK' }] });
    const checked = await runCommand(['check', '--json', '--home', home.path]);
    expect([checked.code, checked.json<{ ok: boolean }>().ok]).toEqual([3, false]);
    const examined = await runCommand(['doctor', '--home', home.path]);
    expect([examined.code, examined.stdout]).toEqual([1, expect.stringMatching(/CONFINEMENT_TOO_WEAK: .*no jitless/) as string]);
  });

  it('without strict starts, and says so', async () => {
    await using home = await aHome([], { sandbox: { jitless: false } });
    await using gatehouse = await startGatehouse(home);
    await gatehouse.host.status();
    expect(gatehouse.host.diagnostics()).toMatchObject([{ code: 'CONFINEMENT_TOO_WEAK', severity: 'warning' }]);
  });
});
