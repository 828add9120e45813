// Where sandboxes stand when processor time is short, by what they have shown of themselves.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { afterAll, describe, expect, it } from 'vitest';
import { appetiteOf, type Rank } from '../../host/sandbox/niceness.ts';
import { eventually } from '../support/eventually.ts';
import { aCall, aPool, aSpec, recordingHooks, toolSource } from '../support/sandboxes.ts';

const pool = aPool();
pool.prepare();
afterAll(() => pool[Symbol.asyncDispose]());

/** How far behind the host each of its threads stands, without repeats. */
const behind = (pid: number) => [...new Set(readdirSync(`/proc/${pid}/task`).map((thread) => getPriority(Number(thread)) - getPriority()))].toSorted((a, b) => a - b);
const LAST = 19 - getPriority();

const SCHED_IDLE = 5;
/** Field 41 of proc_pid_stat(5). */
const policyOf = (pid: number) => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[38]);
const hasChrt = spawnSync('chrt', ['--version']).status === 0;

const SPINNING = toolSource('if (input === "spin") for (let n = 0; n < 1e9; n += 1); return input');

async function aSandbox(rank: Rank) {
  const sandbox = await pool.open(aSpec({ source: SPINNING, limits: { cpuMsPerCall: 5000, wallMsPerCall: 60_000 } }), recordingHooks(), { rank });
  return { sandbox, pid: sandbox.pid, spin: () => void sandbox.call(aCall('spin')), [Symbol.asyncDispose]: () => sandbox.stop(0) };
}

describe.skipIf(process.platform !== 'linux')('a sandbox', () => {
  it.each([['front', 1], ['back', 3]] as const)('of rank %s stands behind the host, with all its threads', async (rank, steps) => {
    await using it = await aSandbox(rank);
    expect(behind(it.pid)).toEqual([Math.min(LAST, steps)]);
    expect(await it.sandbox.call(aCall('honest'))).toMatchObject({ ok: true });
    expect(behind(it.pid)).toEqual([Math.min(LAST, steps)]);
    expect(policyOf(it.pid)).not.toBe(SCHED_IDLE);
  });

  it('of rank back that holds a core goes to the end, and then runs only when nobody else wants to', async ({ skip }) => {
    await using it = await aSandbox('back');
    it.spin();
    await eventually(() => expect(behind(it.pid)).toEqual([LAST]));
    if (!hasChrt) skip('chrt is not installed');
    await eventually(() => expect(policyOf(it.pid)).toBe(SCHED_IDLE));
  });

  it('of rank front that holds a core steps back, but not out of the way of messages', async () => {
    await using it = await aSandbox('front');
    it.spin();
    await eventually(() => expect(behind(it.pid)).toEqual([Math.min(LAST, 10)]));
    expect(policyOf(it.pid)).not.toBe(SCHED_IDLE);
  });
});

describe('a slice', () => {
  it.each([[0, 'usual'], [19, 'usual'], [20, 'long'], [49, 'long'], [50, 'hog']] as const)('of %d ms of CPU is %s', (cpuMs, appetite) => expect(appetiteOf(cpuMs, false)).toBe(appetite));

  it('that loads a script may take longer, once', () => {
    expect([249, 250].map((cpuMs) => appetiteOf(cpuMs, true))).toEqual(['usual', 'hog']);
  });
});
