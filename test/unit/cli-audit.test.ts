// `gatehouse audit` against a running control plane with a real log, and on files where nobody runs: list, head, prove, export, verify.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AuditConsistency, AuditEntry, AuditHead, AuditProof, AuditVerdict } from '../../schemas/audit.ts';
import { writeRunFile } from '../../host/cli/run-file.ts';
import { provesConsistency } from '../../host/trust/log/merkle.ts';
import { startTestControl, type TestControl } from '../support/control-plane.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';

/** A control plane whose log holds some entries, and somebody else's folder. */
async function started(entries: number) {
  await using parts = new AsyncDisposableStack();
  const control = parts.use(await startTestControl());
  const elsewhere = parts.use(await tempDir());
  await control.host.audit.commit(Array.from({ length: entries }, (_, at) => ({ actor: 'host', action: at % 2 === 0 ? 'plugin.verify' : 'plugin.quarantine', resource: `echo\u001b[2J${at}`, outcome: 'done' }) as const));
  const stack = parts.move();
  const run = (...args: string[]) => runCommand(['audit', ...args, '--home', control.home], { cwd: elsewhere.path });
  /** Without any home. */
  const outside = (...args: string[]) => runCommand(['audit', ...args], { cwd: elsewhere.path });
  return { control, run, outside, elsewhere: elsewhere.path, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const grow = ({ host }: TestControl) => host.audit.append({ actor: 'host', action: 'plugin.approve', resource: 'echo', outcome: 'done' });
/** A process of its own that may write files of 1 KiB at most, as on a disk that is full. */
async function limited(...args: string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const { promise, resolve: done } = Promise.withResolvers<{ readonly code: number; readonly stdout: string; readonly stderr: string }>();
  execFile('/bin/sh', ['-c', 'ulimit -f 1; exec "$0" "$@"', process.execPath, resolve(import.meta.dirname, '../../host/bin/gatehouse.js'), ...args], (error, stdout, stderr) => done({ code: error ? Number(error.code) : 0, stdout, stderr }));
  return await promise;
}

const verdictOf = (ran: { json(): unknown }) => ran.json() as AuditVerdict;

describe('gatehouse audit', () => {
  it('lists entries through filters, foreign text made harmless', async () => {
    await using at = await started(20);
    const { stdout } = await at.run('list', '--action', 'plugin.', '--limit', '3');
    expect(stdout).toMatch(/^index +at +actor +action +resource +outcome +reason$/m);
    expect(stdout).not.toContain('\u001b');
    const page = (await at.run('list', '--action', 'plugin.quarantine', '--limit', '2', '--json')).json() as { items: AuditEntry[]; cursor: string };
    expect(page.items.map(({ action }) => action)).toEqual(['plugin.quarantine', 'plugin.quarantine']);
    const next = (await at.run('list', '--action', 'plugin.quarantine', '--limit', '2', '--cursor', page.cursor, '--json')).json() as { items: AuditEntry[] };
    expect(next.items[0]?.index).toBe((page.items[1]?.index ?? 0) - 2);
    expect((await at.run('list', '--since', '2999-01-01T00:00:00Z', '--json')).json()).toEqual({ items: [], cursor: null });
    expect(await at.run('list', '--since', 'yesterday')).toMatchObject({ code: 2 });
  });

  it('exports the log, and verifies the export where nobody runs and there is no home', async () => {
    await using at = await started(700);
    expect((await at.run('export', '--out', 'audit.jsonl')).code).toBe(0);
    expect((await at.run('export', '--out', 'audit.jsonl')).stderr).toMatch(/already a file/);
    const alone = await at.outside('verify', 'audit.jsonl', '--json');
    expect(alone.code).toBe(0);
    expect(verdictOf(alone)).toMatchObject({ ok: true, anchor: { kind: 'none' } });
    const key = join(at.control.home, 'manifests/trust/log.json');
    expect(verdictOf(await at.outside('verify', 'audit.jsonl', '--key', key, '--json'))).toMatchObject({ ok: true, entries: at.control.host.audit.head.size, anchor: { kind: 'key', source: key } });
    expect(verdictOf(await at.run('verify', 'audit.jsonl', '--json'))).toMatchObject({ ok: true, anchor: { kind: 'home', source: key } });

    const file = join(at.elsewhere, 'audit.jsonl');
    await writeFile(file, (await readFile(file, 'utf8')).replace('plugin.quarantine', 'plugin.approve'));
    const tampered = await at.outside('verify', 'audit.jsonl', '--key', key);
    expect(tampered.code).toBe(3);
    expect(tampered.stdout).toMatch(/is not what was signed[^]*edited: line \d+ is not entry \d+ as it was written/);
  });

  it('verifies the log of the running host, and against a head that was remembered', async () => {
    await using at = await started(5);
    expect((await at.run('head', '--out', 'monday.json')).code).toBe(0);
    await grow(at.control);
    const now = await at.run('verify', '--head', 'monday.json', '--json');
    expect(now.code).toBe(0);
    expect(verdictOf(now)).toMatchObject({ ok: true, remembered: { size: at.control.host.audit.head.size - 1 } });
    expect(verdictOf(now).notes).toHaveLength(1);
    expect((await at.run('verify')).stdout).toMatch(/No remembered head was given/);

    expect((await at.run('export', '--out', 'audit.jsonl')).code).toBe(0);
    const last = (await readFile(join(at.elsewhere, 'audit.jsonl'), 'utf8')).trimEnd().split('\n').at(-1) ?? '';
    await writeFile(join(at.elsewhere, 'last.json'), last);
    await grow(at.control);
    expect(verdictOf(await at.run('verify', '--head', 'last.json', '--json'))).toMatchObject({ ok: true, remembered: { size: at.control.host.audit.head.size - 1 } });
    for (const none of ['{}', 'null', '{"head":{}}']) {
      await writeFile(join(at.elsewhere, 'none.json'), none);
      expect(await at.run('verify', '--head', 'none.json')).toMatchObject({ code: 2 });
    }

    const head = JSON.parse(await readFile(join(at.elsewhere, 'monday.json'), 'utf8')) as { size: number };
    await writeFile(join(at.elsewhere, 'tuesday.json'), JSON.stringify({ ...head, size: head.size + 10 }));
    expect(verdictOf(await at.run('verify', '--head', 'tuesday.json', '--json')).faults.map(({ kind }) => kind)).toEqual(['head', 'truncated']);
  });

  it('proves an entry, and believes no proof that was changed', async () => {
    await using at = await started(40);
    expect((await at.run('prove', '17', '--out', 'proof.json')).code).toBe(0);
    expect(verdictOf(await at.run('verify', 'proof.json', '--json'))).toMatchObject({ ok: true, entries: 1, anchor: { kind: 'home' } });
    const proof = JSON.parse(await readFile(join(at.elsewhere, 'proof.json'), 'utf8')) as AuditProof;
    const [first = '', ...rest] = proof.path;
    for (const [changed, kinds] of [
      [{ ...proof, entry: { ...proof.entry, outcome: 'refused' } }, ['edited']],
      [{ ...proof, path: [first.replace(/./, (digit) => (digit === '0' ? '1' : '0')), ...rest] }, ['unconfirmed']],
      [{ ...proof, head: { ...proof.head, size: proof.head.size + 1 } }, ['head']],
      [{ ...proof, head: { ...proof.head, at: '2026-01-01T00:00:00.000Z' } }, ['head']],
    ] as const) {
      await writeFile(join(at.elsewhere, 'changed.json'), JSON.stringify(changed));
      const ran = await at.run('verify', 'changed.json', '--json');
      expect(ran.code).toBe(3);
      expect(verdictOf(ran).faults.map(({ kind }) => kind)).toEqual(expect.arrayContaining([...kinds]));
    }
    expect(await at.run('prove', '4711')).toMatchObject({ code: 1, stderr: expect.stringContaining('no entry 4711') });
    expect(await at.run('prove', 'x')).toMatchObject({ code: 2 });
  });

  it('believes no proof that says a thing twice', async () => {
    await using at = await started(8);
    expect((await at.run('prove', '3', '--out', 'proof.json')).code).toBe(0);
    const text = await readFile(join(at.elsewhere, 'proof.json'), 'utf8');
    const { entry } = JSON.parse(text) as AuditProof;
    await writeFile(join(at.elsewhere, 'changed.json'), text.replace('"entry"', `"entry": ${JSON.stringify({ ...entry, outcome: 'refused' })}, "entry"`));
    expect(await at.run('verify', 'changed.json')).toMatchObject({ code: 3 });
  });

  it('proves that the log goes on from a head, and believes neither a rewritten log nor another head', async () => {
    await using at = await started(30);
    expect((await at.run('head', '--out', 'monday.json')).code).toBe(0);
    await grow(at.control);
    await grow(at.control);
    expect((await at.run('prove', '--since', 'monday.json', '--out', 'growth.json')).code).toBe(0);
    const size = at.control.host.audit.head.size - 2;
    expect(verdictOf(await at.run('verify', 'growth.json', '--head', 'monday.json', '--json'))).toMatchObject({ ok: true, entries: size, remembered: { size }, anchor: { kind: 'home' } });
    expect(await at.outside('verify', 'growth.json', '--head', 'monday.json')).toMatchObject({ code: 0, stdout: expect.stringContaining('Consistency only') });
    expect(await at.run('verify', 'growth.json')).toMatchObject({ code: 2, stderr: expect.stringContaining('--head') });
    expect(await at.run('prove')).toMatchObject({ code: 2 });
    expect(await at.run('prove', '3', '--since', 'monday.json')).toMatchObject({ code: 2 });

    expect((await at.run('head', '--out', 'tuesday.json')).code).toBe(0);
    const proof = JSON.parse(await readFile(join(at.elsewhere, 'growth.json'), 'utf8')) as AuditConsistency;
    const monday = JSON.parse(await readFile(join(at.elsewhere, 'monday.json'), 'utf8')) as AuditHead;
    const kindsOf = async (changed: object, head: object) => {
      await writeFile(join(at.elsewhere, 'changed.json'), JSON.stringify(changed));
      await writeFile(join(at.elsewhere, 'head.json'), JSON.stringify(head));
      const ran = await at.run('verify', 'changed.json', '--head', 'head.json', '--json');
      expect(ran.code).toBe(3);
      return verdictOf(ran).faults.map(({ kind }) => kind);
    };
    expect(await kindsOf({ ...proof, path: proof.path.map((each) => each.replace(/./, (digit) => (digit === '0' ? '1' : '0'))) }, monday)).toEqual(['rewritten']);
    expect(await kindsOf(proof, JSON.parse(await readFile(join(at.elsewhere, 'tuesday.json'), 'utf8')) as AuditHead)).toEqual(['unconfirmed']);
    expect(await kindsOf(proof, { ...monday, root: proof.head.root })).toEqual(['head', 'rewritten']);
    expect(await kindsOf({ ...proof, head: { ...proof.head, root: monday.root } }, monday)).toEqual(['head', 'rewritten']);
  });

  it('tells a host that goes away from a place that cannot be written, and counts what was exported', async () => {
    await using at = await started(20);
    const { size } = at.control.host.audit.head;
    expect((await at.run('export', '--out', 'audit.jsonl', '--json')).json()).toMatchObject({ entries: size });
    expect((await at.run('export', '--out', 'again.jsonl')).stdout).toMatch(new RegExp(`^${size} entries are in again\\.jsonl`));
    const { code, stdout, stderr } = await limited('audit', 'export', '--out', join(at.elsewhere, 'full.jsonl'), '--home', at.control.home);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/refused write of .*full\.jsonl/);
    expect(existsSync(join(at.elsewhere, 'full.jsonl'))).toBe(false);
  });

  it('says that the host went away, when it does so in the middle of its log', async () => {
    await using at = await started(3);
    const server = createServer((_, answer) => {
      answer.writeHead(200, { 'content-type': 'application/x-ndjson' });
      answer.write('{"format":"gatehouse-audit/1",', () => answer.destroy());
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const bound = server.address();
    const port = bound instanceof Object ? bound.port : 0;
    writeRunFile(join(at.control.home, 'data'), { pid: process.pid, address: `http://127.0.0.1:${port}`, startedAt: '2026-11-21T00:00:00.000Z' });
    rmSync(join(at.control.home, 'data', 'gatehouse.sock'));
    for (const asked of [['verify'], ['export', '--out', 'half.jsonl']]) expect(await at.run(...asked)).toMatchObject({ code: 4, stdout: '', stderr: expect.stringMatching(/No running host answers/) });
    expect(existsSync(join(at.elsewhere, 'half.jsonl'))).toBe(false);
    server.close();
  });

  it('says what it cannot read, and that no host runs', async () => {
    await using dir = await tempDir();
    const run = (...args: string[]) => runCommand(['audit', ...args], { cwd: dir.path });
    expect(await run('verify', 'nowhere.jsonl')).toMatchObject({ code: 2, stderr: expect.stringContaining('nowhere.jsonl') });
    expect(await run('list')).toMatchObject({ code: 2 });
    await writeFile(join(dir.path, 'empty.jsonl'), '');
    const empty = await run('verify', 'empty.jsonl', '--json');
    expect(empty.code).toBe(3);
    expect(verdictOf(empty).faults.map(({ kind }) => kind)).toEqual(['cut']);
  });
});

describe('the API', () => {
  it('proves that an earlier log is the beginning of this one', async () => {
    await using at = await started(30);
    const { host } = at.control;
    const call: TestControl['call'] = (...asked) => at.control.call(...asked);
    const earlier = (await call('GET', '/api/v1/audit/head', { token: true })).json as { size: number; root: string };
    await grow(at.control);
    await grow(at.control);
    const { path, head } = (await call('GET', `/api/v1/audit/consistency?first=${earlier.size}`, { token: true })).json as unknown as { path: string[]; head: { size: number; root: string } };
    const bytes = (hex: string) => Buffer.from(hex, 'hex');
    const proof = { first: earlier.size, second: head.size, path: path.map(bytes), firstRoot: bytes(earlier.root), secondRoot: bytes(head.root) };
    expect(head.size).toBe(host.audit.head.size);
    expect(provesConsistency(proof)).toBe(true);
    expect(provesConsistency({ ...proof, first: proof.first - 1 })).toBe(false);
    expect((await call('GET', '/api/v1/audit/consistency?first=100000', { token: true })).status).toBe(404);
    expect((await call('GET', '/api/v1/audit/consistency', { token: true })).status).toBe(400);
    expect((await call('GET', '/api/v1/audit/export')).status).toBe(401);
    expect((await call('GET', '/api/v1/audit/export', { token: true })).headers['content-type']).toBe('application/x-ndjson');
  });
});
