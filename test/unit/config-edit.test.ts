// Edits of host.json: merge patches by the letter, edits from a known state, what takes effect when, history and the way back; through the API, and on the file.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changesBetween, mergePatch, needsRestart, patchOf, valueAt } from '../../host/config-edit.ts';
import type { ConfigEdited, ConfigHistoryItem, ConfigView } from '../../schemas/config-view.ts';
import { startTestControl, type Answer, type TestControl } from '../support/control-plane.ts';
import { aHome } from '../support/home.ts';
import { startProcess } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';

const as = <T>(answer: Answer): T => JSON.parse(answer.text) as T;
const send = (control: TestControl, method: string, path: string, body: unknown) => control.call(method, `/api/v1${path}`, { token: true, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
const view = async (control: TestControl) => as<ConfigView>(await control.call('GET', '/api/v1/config', { token: true }));
const fileOf = ({ home }: { readonly home: string }) => join(home, 'manifests/host.json');

describe('a merge patch', () => {
  // RFC 7396, appendix A.
  it.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [['a', 'b'], ['c', 'd'], ['c', 'd']],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('makes of %j with %j %j', (target, patch, result) => {
    expect(mergePatch(target, patch)).toEqual(result);
  });

  it('of a path sets that setting and nothing else', () => {
    fc.assert(fc.property(fc.array(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1, maxLength: 4 }), fc.jsonValue().filter((value) => value !== null && (typeof value !== 'object' || Array.isArray(value))), (keys, value) => {
      const path = keys.join('.');
      const after = mergePatch({ 'another setting': 1 }, patchOf(path, value));
      expect(valueAt(after, path)).toEqual(value);
      expect(valueAt(after, 'another setting')).toBe(1);
      expect(changesBetween({ 'another setting': 1 }, after)).toHaveLength(1);
    }));
  });

  it('reaches nothing but settings of its own', () => {
    mergePatch({}, JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'));
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
    expect(valueAt({}, 'constructor')).toBeUndefined();
  });
});

describe('what takes effect at once', () => {
  it.each([['identities', false], ['trust.approvals', false], ['trust', false], ['trustee', true], ['listen', true], ['pipeline.queue.mode', true]])('%s waits for a start: %s', (path, waits) => {
    expect(needsRestart(path)).toBe(waits);
  });
});

describe('settings through the API', () => {
  it('are shown as written and as they come to, and changed by a patch from a known state', async () => {
    await using control = await startTestControl();
    const before = await view(control);
    expect(before).toMatchObject({ written: {}, settings: { strict: false, pipeline: { queue: { mode: 'followup' } } }, overrides: [] });
    const answer = await send(control, 'PATCH', '/config', { baseHash: before.hash, patch: { pipeline: { queue: { mode: 'collect' } }, identities: { ada: ['hook:1'] } }, reason: 'less noise' });
    expect(answer.status).toBe(200);
    expect(as<ConfigEdited>(answer)).toMatchObject({
      changes: [{ path: 'identities', after: { ada: ['hook:1'] } }, { path: 'pipeline', after: { queue: { mode: 'collect' } } }],
      restart: ['pipeline'],
    });
    expect(JSON.parse(await readFile(fileOf(control), 'utf8'))).toEqual({ pipeline: { queue: { mode: 'collect' } }, identities: { ada: ['hook:1'] } });
    expect(control.asked).toEqual(['take up settings']);
  });

  it('are not overwritten where somebody else changed them meanwhile, and what they changed is told', async () => {
    await using control = await startTestControl();
    const { hash: baseHash } = await view(control);
    await send(control, 'PATCH', '/config', { baseHash, patch: { log: { level: 'warn' } } });
    const text = await readFile(fileOf(control), 'utf8');
    const late = await send(control, 'PATCH', '/config', { baseHash, patch: { log: { level: 'debug' } } });
    expect(late).toMatchObject({ status: 409, json: { code: 'CONFIG_CONFLICT', detail: expect.stringContaining('log: absent → {"level":"warn"}') } });
    expect(await readFile(fileOf(control), 'utf8')).toBe(text);
  });

  it('are refused when a host would not start with them', async () => {
    await using control = await startTestControl();
    const { hash: baseHash } = await view(control);
    expect(await send(control, 'PATCH', '/config', { baseHash, patch: { lisen: 'x' } })).toMatchObject({ json: { code: 'SCHEMA_UNKNOWN_KEY', detail: expect.stringContaining('listen') } });
    expect(await send(control, 'PUT', '/config', { baseHash, config: { listen: '0.0.0.0:80' } })).toMatchObject({ json: { code: 'CONFIG_UNSAFE' } });
    expect(await readFile(fileOf(control), 'utf8')).toBe('{}');
    expect((await send(control, 'POST', '/config/validate', { config: { listen: '0.0.0.0:80' } })).json).toMatchObject({ ok: false, code: 'CONFIG_UNSAFE' });
    expect((await send(control, 'POST', '/config/validate', { config: { strict: true } })).json).toEqual({ ok: true, changes: [{ path: 'strict', after: true }], restart: ['strict'] });
  });

  it.each<[string, unknown]>([['trust', { approvals: 0 }], ['strict', false], ['egress', { allow: [{ host: 'x.example', scheme: 'http', port: 80 }] }], ['profile', 'lan']])('that decide what may run, as %s, are a reviewer’s to change, and told in the log', async (key, value) => {
    await using control = await startTestControl();
    const tokenWith = async (...scopes: string[]) => as<{ token: string }>(await send(control, 'POST', '/tokens', { label: 'x', scopes })).token;
    const { hash: baseHash } = await view(control);
    const attempt = async (token: string) => await control.call('PATCH', '/api/v1/config', { token, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ baseHash, patch: { [key]: value } }) });
    expect(await attempt(await tokenWith('control:write'))).toMatchObject({ status: 403, json: { code: 'CONFIG_REVIEWED' } });
    expect(await readFile(fileOf(control), 'utf8')).toBe('{}');
    expect((await attempt(await tokenWith('config:write', 'review'))).status).toBe(200);
    const told = as<{ items: { detail?: { changes?: string[] } }[] }>(await control.call('GET', '/api/v1/audit?action=config.trust', { token: true })).items;
    expect(told.map(({ detail }) => detail?.changes)).toEqual([[expect.stringContaining(`${key}: absent → `)]]);
  });

  it('are remembered, edits by hand too, and taken back', async () => {
    await using control = await startTestControl();
    const first = await view(control);
    await send(control, 'PATCH', '/config', { baseHash: first.hash, patch: { log: { level: 'warn' } }, reason: 'quieter' });
    await writeFile(fileOf(control), '{ "log": { "level": "error" } }');
    const history = async () => as<{ items: ConfigHistoryItem[] }>(await control.call('GET', '/api/v1/config/history', { token: true })).items;
    const items = await history();
    expect(items.map(({ actor, reason }) => [actor.split(':')[0], reason])).toEqual([['file', undefined], ['token', 'quieter'], ['file', undefined]]);
    expect(items[0]?.changes).toEqual([{ path: 'log.level', before: 'warn', after: 'error' }]);
    const { hash: baseHash } = await view(control);
    expect(await send(control, 'POST', '/config/rollback', { baseHash, hash: items[1]?.hash })).toMatchObject({ status: 200, json: { changes: [{ path: 'log.level', before: 'error', after: 'warn' }] } });
    expect(JSON.parse(await readFile(fileOf(control), 'utf8'))).toEqual({ log: { level: 'warn' } });
    expect(await send(control, 'POST', '/config/rollback', { baseHash: (await view(control)).hash, hash: `sha256:${'0'.repeat(64)}` })).toMatchObject({ status: 404, json: { code: 'CONFIG_UNKNOWN' } });
    expect((await history())[0]).toMatchObject({ reason: `back to ${items[1]?.hash}` });
  });
});

describe('gatehouse config', () => {
  it('works on the file with no host, and through the host with one', async () => {
    await using home = await aHome();
    const run = (...args: string[]) => runCommand(['config', ...args, '--home', home.path]);
    expect((await run('set', 'pipeline.queue.mode', 'collect', '--json')).json()).toMatchObject({ changes: [{ path: 'pipeline', after: { queue: { mode: 'collect' } } }] });
    expect((await run('get', 'pipeline.queue.mode')).stdout.trim()).toBe('"collect"');
    expect(await run('set', 'pipeline.queue.mode', 'never')).toMatchObject({ code: 2 });
    expect(await run('get', 'no.such')).toMatchObject({ code: 2 });
    expect(await run('validate')).toMatchObject({ code: 0 });

    await using _host = await startProcess(home.path);
    const set = await run('set', 'identities.ada', '["door:1"]', '--reason', 'one person');
    expect(set.stdout).toContain('identities: absent → {"ada":["door:1"]}');
    const both = await run('patch', '{"pipeline":null,"log":{"level":"warn"}}');
    expect(both).toMatchObject({ code: 0, stderr: expect.stringContaining('With the next start: log.level, pipeline.') });
    expect((await run('get', '--json')).json<ConfigView>().restart).toEqual(['log.level', 'pipeline.queue.mode']);
    const { items } = (await run('history', '--json')).json<{ items: ConfigHistoryItem[] }>();
    expect(items.map(({ reason }) => reason)).toEqual([undefined, 'one person', undefined]);
    const back = await run('rollback', items[1]?.hash.slice(7, 15) ?? '');
    expect(back.stdout).toContain('log.level: "warn" → "error"');
    expect((await run('get', '--json')).json<ConfigView>().written).toMatchObject({ identities: { ada: ['door:1'] }, pipeline: { queue: { mode: 'collect' } } });
  });
});
