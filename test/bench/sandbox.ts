// What a sandbox costs: calls across the process boundary, start of a process at each level of confinement, and the way back after a kill.
import { systemClock } from '../../host/clock.ts';
import { ConfinedProcess } from '../../host/sandbox/confined-process.ts';
import { detectConfinement } from '../../host/sandbox/confinement.ts';
import { thisMachine, type Machine } from '../../host/sandbox/machine.ts';
import { SandboxPool } from '../../host/sandbox/pool.ts';
import type { SandboxSpec } from '../../host/sandbox/sandbox.ts';
import { Supervisor } from '../../host/supervisor/supervisor.ts';
import { aCall, recordingHooks, silentLog } from '../support/sandboxes.ts';

const SOURCE = `gatehouse.register({ kind: 'moderation', handlers: { evaluate: async ({ text, spin }) => { while (spin); return { effect: text.includes('spam') ? 'deny' : 'pass', echo: text }; } } });`;
const TEXT = 'x'.repeat(260);

const aSpec = (jitless: boolean): SandboxSpec => ({ instance: 'bench', plugin: 'bench.echo', kind: 'moderation', source: SOURCE, config: {}, limits: { heapMb: 32, cpuMsPerCall: 50, wallMsPerCall: 5000, concurrency: 256 }, jitless });

export async function sandbox({ smoke }: { readonly smoke: boolean }): Promise<void> {
  await calls(smoke ? 200 : 2000);
  await starts(smoke ? 3 : 15);
  await comebacks(smoke ? 2 : 10);
}

async function calls(forMs: number): Promise<void> {
  for (const jitless of [false, true]) {
    await using pool = new SandboxPool({ warm: 0, clock: systemClock, log: silentLog });
    const open = await pool.open(aSpec(jitless), recordingHooks());
    for (const inFlight of [1, 16, 64, 256, 64, 256]) {
      let count = 0;
      const [beganAt, hostBefore, childBefore] = [performance.now(), process.cpuUsage(), open.cpuUs];
      const lane = async () => {
        for (; performance.now() - beganAt < forMs; count += 1) {
          const result = await open.call(aCall({ text: TEXT }, 'evaluate'));
          if (!result.ok) throw new Error(result.message);
        }
      };
      await Promise.all(Array.from({ length: inFlight }, lane));
      const { user, system } = process.cpuUsage(hostBefore);
      const perSecond = Math.round((count / (performance.now() - beganAt)) * 1000);
      console.log(`sandbox calls jit=${!jitless} inFlight=${inFlight} callsPerS=${perSecond} hostCpuUs=${((user + system) / count).toFixed(1)} childCpuUs=${((open.cpuUs - childBefore) / count).toFixed(1)}`);
    }
  }
}

async function starts(times: number): Promise<void> {
  const machine = thisMachine();
  const without = (...names: string[]): Machine => ({ ...machine, program: (name) => (names.includes(name) ? `/nowhere/${name}` : machine.program(name)) });
  for (const each of [machine, { ...machine, isRoot: false }, without('unshare'), without('unshare', 'prlimit', 'setpriv')]) {
    const beganAt = performance.now();
    const { commands, started } = await detectConfinement((candidate) => ConfinedProcess.start(candidate.command({ jitless: true })), each);
    const detectMs = performance.now() - beganAt;
    await end(started);
    const took: number[] = [];
    for (let time = 0; time < times; time += 1) {
      const startedAt = performance.now();
      const process = await ConfinedProcess.start(commands.command({ jitless: true }));
      took.push(performance.now() - startedAt);
      await end(process);
    }
    console.log(`sandbox start level=${commands.level.name} detectMs=${detectMs.toFixed(0)} p50Ms=${median(took).toFixed(0)} maxMs=${Math.max(...took).toFixed(0)}`);
  }
}

async function end(process: ConfinedProcess): Promise<void> {
  process.kill();
  await process.ended;
  process.release();
}

/** From the moment a sandbox is given up to the first answer of the next one. */
async function comebacks(times: number): Promise<void> {
  await using pool = new SandboxPool({ warm: 2, clock: systemClock, log: silentLog });
  pool.prepare();
  const took: number[] = [];
  for (let time = 0; time < times; time += 1) {
    await using supervisor = new Supervisor({ pool, clock: systemClock, hooksFor: () => recordingHooks(), onStateChange: () => {}, onQuarantine: () => {} });
    await supervisor.start(aSpec(true));
    await supervisor.call('bench', aCall({ text: TEXT, spin: true }, 'evaluate'));
    const killedAt = performance.now();
    const result = await supervisor.call('bench', aCall({ text: TEXT }, 'evaluate'));
    if (!result.ok) throw new Error(result.message);
    took.push(performance.now() - killedAt);
  }
  console.log(`sandbox comeback p50Ms=${median(took).toFixed(1)} maxMs=${Math.max(...took).toFixed(1)}`);
}

const median = (values: readonly number[]) => values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
