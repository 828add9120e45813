// Warm processes: ready before they are needed, used once, gone when the host is.
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { subscribe } from '../../host/events.ts';
import { Leftovers } from '../../host/sandbox/leftovers.ts';
import { ProcessMeter } from '../../host/sandbox/process-meter.ts';
import { eventually } from '../support/eventually.ts';
import { aCall, aPool, aSpec, recordingHooks, silentLog, toolSource } from '../support/sandboxes.ts';
import { tempDir } from '../support/temp.ts';

const isAlive = (pid: number) => new ProcessMeter(pid).read()?.state.match(/[^ZX]/) !== undefined && new ProcessMeter(pid).read() !== undefined;

describe('the pool', () => {
  it('gives every plugin a process of its own, never one that ran another', async () => {
    await using pool = aPool({ warm: 2 });
    pool.prepare();
    const pids: number[] = [];
    for (let index = 0; index < 6; index += 1) {
      const sandbox = await pool.open(aSpec({ source: toolSource('globalThis.mark = (globalThis.mark ?? 0) + 1; return mark') }), recordingHooks());
      pids.push(sandbox.pid);
      expect(await sandbox.call(aCall())).toMatchObject({ ok: true, value: 1 });
      await sandbox.stop(0);
    }
    expect(new Set(pids).size).toBe(6);
  });

  it('opens many at once', async () => {
    await using pool = aPool({ warm: 0 });
    const sandboxes = await Promise.all(Array.from({ length: 8 }, (_, index) => pool.open(aSpec({ instance: `i${index}` }), recordingHooks())));
    expect(new Set(sandboxes.map(({ pid }) => pid)).size).toBe(8);
    for (const [index, sandbox] of sandboxes.entries()) expect(await sandbox.call(aCall(index))).toMatchObject({ value: index });
  });

  it('tells how long a start took and how it is confined', async () => {
    await using pool = aPool({ warm: 0 });
    const started: { instance: string; pid: number; level: string; startMs: number }[] = [];
    const unsubscribe = subscribe('sandbox.started', (event) => void started.push(event));
    try {
      const sandbox = await pool.open(aSpec({ instance: 'weather' }), recordingHooks());
      expect(started).toEqual([{ instance: 'weather', pid: sandbox.pid, level: (await pool.confinement()).name, startMs: expect.any(Number) as number }]);
    } finally {
      unsubscribe();
    }
  });

  it('opens one without JIT and one with it, as asked', async () => {
    await using pool = aPool();
    const source = toolSource('return typeof WebAssembly');
    for (const jitless of [true, false]) {
      const sandbox = await pool.open(aSpec({ source, jitless }), recordingHooks());
      expect(await sandbox.call(aCall())).toMatchObject({ value: 'undefined' });
      const line = await readFile(`/proc/${sandbox.pid}/cmdline`, 'utf8');
      expect(line.includes('--jitless')).toBe(jitless);
    }
  });

  it('replaces a warm process that died while it waited', async () => {
    await using dir = await tempDir();
    await using pool = aPool({ warm: 1, dataDir: dir.path });
    pool.prepare();
    const recorded = async () => (await readFile(join(dir.path, 'sandboxes'), 'utf8')).trim().split('\n').map((line) => Number(line.split(' ')[1]));
    const [warm] = await eventually(async () => {
      const pids = await recorded();
      expect(pids[0]).toBeGreaterThan(0);
      return pids;
    });
    process.kill(warm as number, 'SIGKILL');
    await eventually(async () => expect((await recorded()).length).toBe(2));
    const sandbox = await pool.open(aSpec(), recordingHooks());
    expect(sandbox.pid).not.toBe(warm);
  });

  it('ends every process when it is disposed of, those in use too', async () => {
    const pids: number[] = [];
    {
      await using pool = aPool({ warm: 2 });
      pool.prepare();
      for (let index = 0; index < 3; index += 1) pids.push((await pool.open(aSpec(), recordingHooks())).pid);
      for (const pid of pids) expect(isAlive(pid)).toBe(true);
    }
    for (const pid of pids) expect(isAlive(pid)).toBe(false);
  });
});

describe('what a dead host left behind', () => {
  it('is ended at the next start', async () => {
    await using dir = await tempDir();
    const left = spawn('sleep', ['60']);
    const gone = new Promise((done) => left.once('exit', (_, signal) => done(signal)));
    new Leftovers(dir.path, silentLog).add(left.pid as number);
    new Leftovers(dir.path, silentLog).endAll();
    expect(await gone).toBe('SIGKILL');
    expect(await readFile(join(dir.path, 'sandboxes'), 'utf8')).toBe('');
  });

  it('is not mistaken for another process that has its pid now', async () => {
    await using dir = await tempDir();
    const other = spawn('sleep', ['60']);
    try {
      new Leftovers(dir.path, silentLog).add(other.pid as number);
      const record = await readFile(join(dir.path, 'sandboxes'), 'utf8');
      const [boot, pid, startedAt] = record.trim().split(' ');
      for (const wrong of [`${boot} ${pid} ${Number(startedAt) + 1}`, `00000000-0000-0000-0000-000000000000 ${pid} ${startedAt}`, `${boot} ${pid}`, '', 'nonsense', `${boot} -1 1`, `${boot} 0 1`, `${boot} ${process.pid} 1`]) {
        await writeFile(join(dir.path, 'sandboxes'), `${wrong}\n`);
        new Leftovers(dir.path, silentLog).endAll();
      }
      expect(isAlive(other.pid as number)).toBe(true);
    } finally {
      other.kill('SIGKILL');
    }
  });

  it('keeps its record short', async () => {
    await using dir = await tempDir();
    const leftovers = new Leftovers(dir.path, silentLog);
    for (let index = 0; index < 2000; index += 1) {
      leftovers.add(process.pid);
      if (index % 2 === 0) leftovers.remove(process.pid);
    }
    expect((await readFile(join(dir.path, 'sandboxes'), 'utf8')).split('\n').length).toBeLessThan(600);
  });
});
