// Twenty plugins that take what they can get beside an innocent one, in a real host of its own process: how long the innocent one's people wait, and how long the host's own loop does. For tests and benches.
import { openChat, type Chat } from './chat.ts';
import { addFirstParty } from './first-party.ts';
import { aHome, type TestHome } from './home.ts';
import { startProcess, type HostProcess } from './process.ts';

export const ATTACKERS = 20;

/** The body of a skill's handler; `input.message.text` says when. All of them keep within what they were given, or are killed for it. */
export const ATTACKS = {
  /** Ended by the host after half a second, three times, then quarantined. */
  'spin for ever': { body: 'for (;;);', limits: {} },
  /** Within its limits all the time: an operator gave it five seconds of CPU a call. */
  'spin as long as permitted': { body: 'const until = 3e8; for (let n = 0; n < until; n += 1);', limits: { cpuMsPerCall: 5000, wallMsPerCall: 60_000 } },
  'flood the log': { body: `for (let n = 0; n < 100; n += 1) { for (let line = 0; line < 500; line += 1) ctx.log.info('x'.repeat(1900)); await ctx.sleep(10); }`, limits: { cpuMsPerCall: 5000, wallMsPerCall: 60_000 } },
  'flood the host with calls': { body: `for (let n = 0; n < 30; n += 1) await Promise.all(Array.from({ length: 60 }, () => ctx.kv.set('k', 'x'.repeat(60000)).catch(() => {})));`, limits: { cpuMsPerCall: 5000, wallMsPerCall: 60_000 } },
} as const;

export type Attack = keyof typeof ATTACKS;

export interface Arena extends AsyncDisposable {
  readonly host: HostProcess;
  /** Sets all attackers off; resolves when each has its message. */
  attack(): Promise<void>;
  /** Asks the innocent one, one question after the other, for so long. */
  measure(forMs: number): Promise<Measured>;
}

export interface Measured {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly answers: number;
  /** Of the host's event loop, without the 10 ms between two looks at it. */
  readonly lagP99Ms: number;
  readonly lagMaxMs: number;
}

/** The innocent: webchat and echo, which nobody made required. */
export async function anArena(attack: Attack): Promise<Arena> {
  const { body, limits } = ATTACKS[attack];
  const home = await aHome();
  await addFirstParty(home, 'webchat', { admit: { senderPerSecond: 1_000_000 } });
  await addFirstParty(home, 'echo', { order: 1 });
  for (let n = 0; n < ATTACKERS; n += 1) await addAttacker(home, n, body, limits);
  const host = await startProcess(home.path);
  const chat = await openChat(host.address);
  const attackers: Chat[] = [];
  return {
    host,
    async attack() {
      for (let n = 0; n < ATTACKERS; n += 1) attackers.push(await openChat(host.address));
      await Promise.all(attackers.map((each, n) => each.ack(`attack-${n} now`)));
    },
    async measure(forMs) {
      await lagOf(host.address); // since the last look
      const took: number[] = [];
      const until = performance.now() + forMs;
      while (performance.now() < until) {
        const askedAt = performance.now();
        await chat.ask(`echo ${took.length}`);
        took.push(performance.now() - askedAt);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      return { p50Ms: quantile(took, 0.5), p99Ms: quantile(took, 0.99), answers: took.length, ...(await lagOf(host.address)) };
    },
    async [Symbol.asyncDispose]() {
      for (const each of [chat, ...attackers]) await each[Symbol.asyncDispose]();
      await host[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

async function addAttacker(home: TestHome, n: number, body: string, limits: object): Promise<void> {
  await home.add({
    name: `attacker-${n}`,
    kind: 'skill',
    source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => { ${body} return { replies: [] }; } } });`,
    manifest: { skill: { triggers: { prefixes: [`attack-${n} `] } }, limits, capabilities: [{ name: 'kv', quotaBytes: 100_000 }] },
  });
}

const LOOK_MS = 10;

async function lagOf(address: string): Promise<{ readonly lagP99Ms: number; readonly lagMaxMs: number }> {
  const text = await (await fetch(`${address}/metrics`)).text();
  const of = (name: string) => Math.max(0, Number(new RegExp(`^nodejs_eventloop_lag_${name}_seconds (\\S+)`, 'm').exec(text)?.[1]) * 1000 - LOOK_MS);
  return { lagP99Ms: of('p99'), lagMaxMs: of('max') };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
