// When changed files are judged: after a time of quiet, at the latest some time after the first change, what is urgent by itself; and what counts as still being written.
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OwnWrites } from '../../host/reload/own-writes.ts';
import { Settling } from '../../host/reload/settling.ts';
import { tempDir } from '../support/temp.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Times at which changes were due, in milliseconds from the beginning. */
function aSettling() {
  const due: number[] = [];
  const clock = { now: () => Date.now(), monotonicMs: () => performance.now() };
  const beganAt = clock.monotonicMs();
  const settling = new Settling({ clock, quietMs: 500, mostMs: 1500, isUrgent: (path) => path === '/urgent', onDue: () => due.push(clock.monotonicMs() - beganAt) });
  const every = (ms: number, forMs: number, path: string) => {
    for (let at = 0; at < forMs; at += ms) {
      settling.changed(path);
      vi.advanceTimersByTime(ms);
    }
  };
  return { settling, due, every };
}

describe('a changed file', () => {
  it('is judged once it has been quiet', () => {
    const { settling, due, every } = aSettling();
    every(100, 300, '/a');
    expect(settling.isUnsettled('/a')).toBe(true);
    vi.advanceTimersByTime(5000);
    expect(due).toEqual([700]);
    expect(settling.isUnsettled('/a')).toBe(false);
  });

  it('that does not come to rest keeps the others waiting only so long, and is judged again and again', () => {
    const { settling, due, every } = aSettling();
    settling.changed('/b');
    every(100, 4000, '/a');
    expect(due).toEqual([1500, 3000]);
    expect([settling.isUnsettled('/a'), settling.isUnsettled('/b')]).toEqual([true, false]);
    vi.advanceTimersByTime(5000);
    expect(due).toHaveLength(3);
    expect(settling.isUnsettled('/a')).toBe(false);
  });

  it('that is urgent waits for its own quiet alone', () => {
    const { settling, due, every } = aSettling();
    settling.changed('/urgent');
    every(100, 1400, '/a');
    expect(due).toEqual([500]);
    every(100, 200, '/a');
    expect(due).toEqual([500, 1500]);
  });

  it('is unsettled with every folder above it, and with nothing beside it', () => {
    const { settling } = aSettling();
    settling.changed('/plugins/a-1/assets/x.js');
    expect(['/plugins', '/plugins/a-1', '/plugins/a-1/assets/x.js'].map((path) => settling.isUnsettled(path))).toEqual([true, true, true]);
    expect(['/plugins/a', '/plugins/a-1/assets/x', '/plugins/a-1/plugin.js', '/other'].map((path) => settling.isUnsettled(path))).toEqual([false, false, false, false]);
  });

  it('is forgotten when the host stops', () => {
    const { settling, due } = aSettling();
    settling.changed('/a');
    settling[Symbol.dispose]();
    settling.changed('/b');
    vi.advanceTimersByTime(5000);
    expect(due).toEqual([]);
  });

  it('is one of so many that the memory for them is bounded', () => {
    const { settling, due } = aSettling();
    for (let n = 0; n < 10_005; n += 1) settling.changed(`/${n}`);
    expect([settling.isUnsettled('/4'), settling.isUnsettled('/5')]).toEqual([false, true]);
    vi.advanceTimersByTime(5000);
    expect(due).toHaveLength(1);
  });
});

describe('what the host wrote itself', () => {
  beforeEach(() => void vi.useRealTimers());

  it('is its own until somebody else writes the file, and then never again', async () => {
    await using dir = await tempDir();
    const writes = new OwnWrites();
    const file = join(dir.path, 'a.json');
    writes.remember(file, 'mine');
    expect(await writes.holds(file)).toBe(false); // not there yet
    await writeFile(file, 'mine');
    writes.remember(file, 'mine');
    expect(await writes.holds(file)).toBe(true);
    expect(await writes.holds(join(dir.path, 'b.json'))).toBe(false);
    await writeFile(file, 'yours');
    expect(await writes.holds(file)).toBe(false);
    await writeFile(file, 'mine');
    expect(await writes.holds(file)).toBe(false);
  });

  it('is found through a link', async () => {
    await using dir = await tempDir();
    const writes = new OwnWrites();
    await mkdir(join(dir.path, 'real'));
    await writeFile(join(dir.path, 'real/a.json'), 'mine');
    await symlink(join(dir.path, 'real'), join(dir.path, 'link'));
    writes.remember(join(dir.path, 'real/a.json'), 'mine');
    expect(await writes.holds(join(dir.path, 'link/a.json'))).toBe(true);
    await rm(join(dir.path, 'real/a.json'));
    expect(await writes.holds(join(dir.path, 'link/a.json'))).toBe(false);
  });
});
