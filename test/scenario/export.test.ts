// What one host has stored goes to another: exported while it runs and when it does not, taken in, gone on with. Broken files are refused by line, a kill in the middle loses nothing, and what is history is never answered or sent again.
import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkExport, importExport } from '../../host/backup/import-export.ts';
import { exportData } from '../../host/backup/write-export.ts';
import { systemClock } from '../../host/clock.ts';
import { GatehouseError } from '../../host/errors.ts';
import { createIds } from '../../host/ids.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { put } from '../../host/store/store.ts';
import { conversations, deliveries, invites, kvUsage, lanes, messages, pairings, tokens, type MessageRow } from '../../host/store/tables.ts';
import { EXPORT_PARTS } from '../../schemas/export.ts';
import { linesOf, recordsOf, sourceOf, written, type Line } from '../support/data-export.ts';
import { eventually } from '../support/eventually.ts';
import { addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse, type Answer, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome, type TestPlugin } from '../support/home.ts';
import { LAUNCHER } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir, type TempDir } from '../support/temp.ts';
import { webhookClient } from '../support/webhook.ts';

const skill = (name: string, prefix: string, respond: string): TestPlugin => ({
  name, kind: 'skill',
  source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => { ${respond} } } });`,
  manifest: { skill: { triggers: { prefixes: [prefix] } }, capabilities: [{ name: 'kv', quotaBytes: 65_536, reason: 'To remember.' }] },
});

const PLUGINS = [
  skill('notes', 'note ', `await ctx.kv.set('last', { text: message.text, 'constructor': [1.5, '\\ud800'] }); return { replies: [{ text: 'kept' }] };`),
  skill('recall', 'recall', `return { replies: [{ text: JSON.stringify(await ctx.kv.get('last')) }] };`),
  skill('fragile', 'break', 'throw new Error("broken");'),
];

async function aNotingHome(): Promise<TestHome> {
  const home = await aHome(PLUGINS.filter(({ name }) => name !== 'recall'));
  await addWebhook(home);
  const webhook: object = JSON.parse(await readFile(join(home.path, 'manifests/plugins/webhook.json'), 'utf8'));
  await home.write('manifests/plugins/guarded.json', { ...webhook, instance: 'guarded', admit: { access: 'pairing' } });
  return home;
}

let dir: TempDir;
let old: TestHome;
/** What the running host sent, and what its data directory gave afterwards. */
let live: string;
let file: string;
let text: string;
let first: Line;
let records: Line[];
let answer: Answer;
let unknown: Answer;

/** Some of everything that is exported, and of what is not. */
async function talk(host: Gatehouse): Promise<void> {
  const client = webhookClient(host.address, WEBHOOK_SECRET);
  const guarded = webhookClient(host.address, WEBHOOK_SECRET, 'guarded');
  for (let n = 0; n < 12; n += 1) await client.post({ id: `n${n}`, conversation: `c${n % 3}`, text: `note ${n} \u{1f600} "quoted"` });
  await client.post({ id: 'b', conversation: 'c0', text: 'break this' });
  await client.post({ id: 'nobody', conversation: 'c0', text: 'for nobody' });
  for (const stranger of ['eve', 'mal']) await guarded.post({ id: stranger, conversation: stranger, sender: stranger, text: 'let me in' });
  const code = await eventually(async () => {
    const found = (await guarded.replies('eve')).items.flatMap((item) => /\b[A-HJ-NP-Z2-9]{8}\b/.exec(item.text)?.[0] ?? [])[0];
    expect(found).toBeDefined();
    return found ?? '';
  });
  expect((await host.api(`/pairing/${code}/approve`, { method: 'POST' })).status).toBe(200);
  expect((await host.api(`/lanes/${encodeURIComponent('webhook:c2')}/mode`, { method: 'POST', body: { mode: 'collect' } })).status).toBe(200);
  await host.api('/pairing/invites', { method: 'POST', body: { instance: 'guarded' } });
  await eventually(async () => {
    const { items } = (await host.api('/messages?limit=200')).json<{ items: { outcome: string }[] }>();
    expect(items.filter(({ outcome }) => outcome === 'accepted' || outcome === 'pending')).toEqual([]);
    expect((await host.api('/dead-letters')).json<{ items: unknown[] }>().items).toHaveLength(1);
    expect(items.filter(({ outcome }) => outcome === 'delivered').length).toBeGreaterThanOrEqual(14);
  }, 120_000);
}

beforeAll(async () => {
  [dir, old] = [await tempDir(), await aNotingHome()];
  {
    await using host = await startGatehouse(old);
    await talk(host);
    [answer, unknown] = [await host.api('/export'), await host.api('/export?what=secrets')];
  }
  live = answer.text;
  file = join(dir.path, 'monday.ndjson');
  const made = await runCommand(['export', '--out', file, '--home', old.path, '--json']);
  if (made.code !== 0) throw new Error(made.stderr + made.stdout);
  text = await readFile(file, 'utf8');
  [first = {}, ...records] = linesOf(text).slice(0, -1);
});
afterAll(async () => {
  await old[Symbol.asyncDispose]();
  await dir[Symbol.asyncDispose]();
});

const importInto = (home: TestHome, from = file, ...more: string[]) => runCommand(['import', from, '--home', home.path, '--json', ...more]);
let outs = 0;
const exportOf = async (home: TestHome, ...more: string[]) => {
  const out = join(dir.path, `out-${(outs += 1)}.ndjson`);
  const { code, stderr } = await runCommand(['export', '--out', out, '--home', home.path, ...more]);
  if (code !== 0) throw new Error(stderr);
  return await readFile(out, 'utf8');
};
const saved = async (name: string, content: string) => {
  const path = join(dir.path, name);
  await writeFile(path, content);
  return path;
};
const storeOf = (home: TestHome) => openStore({ dir: join(home.path, 'data/store'), clock: systemClock });

describe('an export', () => {
  it('is the same from a running host and from its data directory, on stdout and in a file, whole or in parts', async () => {
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, expect.stringContaining('application/x-ndjson')]);
    expect(unknown.json()).toMatchObject({ code: 'REQUEST_INVALID' });
    expect(recordsOf(live)).toEqual(recordsOf(text));
    const printed = await runCommand(['export', '--home', old.path]);
    expect([printed.code, printed.stderr, recordsOf(printed.stdout)]).toEqual([0, '', recordsOf(text)]);
    expect(statSync(file).mode & 0o077).toBe(0);
    expect(first).toMatchObject({ format: 'gatehouse-export', version: 1, gatehouse: expect.any(String), what: [...EXPORT_PARTS] });
    expect(new Set(records.map(({ kind }) => kind))).toEqual(new Set(['dedupe', 'dead-letter', 'message', 'session', 'queue-mode', 'kv', 'pairing']));
    expect(linesOf(await exportOf(old, '--what', 'kv,pairings')).slice(1, -1).map(({ kind }) => kind)).toEqual(['kv', 'pairing']);
    expect(await runCommand(['export', '--what', 'kv,tokens', '--home', old.path])).toMatchObject({ code: 2, stderr: expect.stringContaining("'tokens' is none of") });
    expect((await runCommand(['export', '--out', file, '--home', old.path, '--json'])).json()).toMatchObject({ error: { code: 'FILE_EXISTS' } });
    expect(await checkExport(sourceOf(text))).toMatchObject({ last: { end: { inWork: 0 } } });
  });

  it('holds no secret, no hash of one, no key, no decision of the log', async () => {
    await using store = await storeOf(old);
    const rows = async <Row>(table: Parameters<typeof store.range<Row>>[0]) => (await store.range(table, [])).map(({ value }) => value);
    const waiting = (await rows(pairings)).flatMap(({ code }) => (code ? [code.salt, code.sha256] : []));
    const secrets = [...waiting, ...(await rows(tokens)).map(({ secretSha256 }) => secretSha256), ...(await rows(invites)).map(({ secretSha256 }) => secretSha256), (await readFile(join(old.path, 'data/admin-token'), 'utf8')).trim(), WEBHOOK_SECRET];
    expect(waiting.length).toBeGreaterThan(0);
    expect(secrets.length).toBeGreaterThan(4);
    for (const secret of secrets) expect(text).not.toContain(secret);
    const key: unknown = JSON.parse(await readFile(join(old.path, 'data/keys/log.key.json'), 'utf8'));
    for (const value of Object.values(Object(key)).filter((each) => typeof each === 'string' && each.length > 20)) expect(text).not.toContain(value);
    expect(text).not.toMatch(/"(action|leaf|signature)":/);
  });

  it('leaves out what is in work, and the keys that would keep it from being answered elsewhere', async () => {
    await using empty = await tempDir();
    await using store = await openStore({ dir: empty.path, clock: systemClock });
    const lines = async () => {
      let all = '';
      for await (const page of exportData(store, EXPORT_PARTS, systemClock)) all += page;
      return all;
    };
    await importExport(sourceOf(text), store, { dryRun: false, overwrite: false });
    const row = (await store.range(messages, messages.prefix())).find(({ value }) => value.text === 'for nobody')?.value;
    const busy: MessageRow = { ...(row as MessageRow), outcome: 'accepted' };
    await store.commit({ put: [put(messages, messages.key(busy.id), busy)] });
    const partly = await lines();
    expect(linesOf(partly).at(-1)).toMatchObject({ end: { inWork: 1 } });
    expect(partly).not.toContain(busy.id);
    // And it stays in work whoever says that it is over.
    expect(await importExport(sourceOf(text), store, { dryRun: false, overwrite: true })).toMatchObject({ conflicts: [{ kind: 'dedupe' }, { kind: 'message', key: [busy.id], problem: 'it is in work here' }] });
    expect((await store.get(messages, messages.key(busy.id)))?.value.outcome).toBe('accepted');
  });
});

describe('an import', () => {
  it('brings everything to another home, which goes on from it, answers nothing again and exports the same', async () => {
    await using home = await aNotingHome();
    for (const plugin of PLUGINS.filter(({ name }) => name === 'recall')) await home.add({ ...plugin, enablement: { instance: 'other' } });
    const dry = await importInto(home, file, '--dry-run');
    expect(dry.json()).toMatchObject({ dryRun: true, added: records.length, kept: 0, conflicts: 0 });
    expect(existsSync(join(home.path, 'data/store'))).toBe(false);
    expect((await importInto(home)).json()).toMatchObject({ added: records.length, kept: 0, conflicts: 0, overwritten: 0 });
    expect((await importInto(home)).json()).toMatchObject({ added: 0, kept: records.length, conflicts: 0 });
    expect(recordsOf(await exportOf(home))).toEqual(recordsOf(text));
    {
      await using store = await storeOf(home);
      expect([await store.count(lanes), await store.count(deliveries)]).toEqual([0, 0]);
    }
    // The same plugin under its name finds what it kept.
    await home.write('manifests/plugins/notes.json', { ...JSON.parse(await readFile(join(home.path, 'manifests/plugins/recall.json'), 'utf8')) as object, instance: 'notes' });
    await home.write('manifests/plugins/recall.json', { ...JSON.parse(await readFile(join(home.path, 'manifests/plugins/notes.json'), 'utf8')) as object, instance: 'unused' });

    await using host = await startGatehouse(home);
    expect(recordsOf((await host.api('/export')).text)).toEqual(recordsOf(text));
    const refused = await runCommand(['import', file, '--home', home.path, '--json']);
    expect([refused.code, refused.json()]).toMatchObject([1, { error: { code: 'STORE_LOCKED' } }]);

    const get = async <T>(path: string) => (await host.api(path)).json<T>();
    const stored = records.filter(({ kind }) => kind === 'message');
    const { items } = await get<{ items: { id: string; outcome: string; replies?: unknown }[] }>('/messages?limit=200&sort=at');
    expect(items.map(({ id }) => id)).toEqual(stored.map(({ id }) => id));
    const answered = items.find(({ outcome }) => outcome === 'answered');
    expect(await get(`/messages/${answered?.id}`)).toMatchObject({ outcome: 'answered', stages: expect.arrayContaining([expect.objectContaining({ stage: 'respond' })]), replies: [{ outcome: 'delivered', direction: 'outbound' }] });
    const sessions = await get<{ items: { key: string; messages: number }[] }>('/sessions?limit=200');
    expect(sessions.items.map(({ key, messages: count }) => [key, count])).toEqual(records.filter(({ kind }) => kind === 'session').map(({ key, messages: count }) => [key, count]));
    const [letter] = (await get<{ items: { id: string; code: string }[] }>('/dead-letters')).items;
    expect(await get(`/dead-letters/${letter?.id}`)).toMatchObject({ text: 'break this', message: { outcome: 'dead-lettered' } });
    expect((await get<{ items: { state: string }[] }>('/pairing')).items).toMatchObject([{ state: 'approved' }]);

    const client = webhookClient(host.address, WEBHOOK_SECRET);
    expect((await client.replies('c1')).items.map(({ text: said }) => said)).toEqual(['kept', 'kept', 'kept', 'kept']);
    // What a source sends again is known here as well.
    const again = await client.post({ id: 'n0', conversation: 'c0', text: 'note again' });
    expect(again.body).toMatchObject({ messageId: stored.find(({ senderMessageId }) => senderMessageId === 'n0')?.['id'] });
    await client.post({ id: 'later', conversation: 'c1', text: 'recall it' });
    await eventually(async () => expect((await client.replies('c1')).items.at(-1)?.text).toBe(JSON.stringify({ text: 'note 11 \u{1f600} "quoted"', constructor: [1.5, '\ud800'] })));
    expect((await get<{ items: unknown[] }>('/messages?limit=200')).items).toHaveLength(stored.length + 2);
    const done = (await get<{ items: { outcome: string; detail: object }[] }>('/audit?action=data.import')).items;
    expect(done.map(({ outcome }) => outcome)).toEqual(['done', 'begun', 'done', 'begun']);
    expect(done[2]).toMatchObject({ actor: 'command line', detail: { added: records.length } });
  });

  it('keeps what is there and differs, tells of it, and takes it from the file when asked to', async () => {
    await using home = await aNotingHome();
    expect(await importInto(home)).toMatchObject({ code: 0 });
    const ids = createIds(systemClock);
    const place = ids.next();
    const changed = records.map((each): Line => {
      if (each['kind'] === 'session') return { ...each, messages: 77 };
      if (each['kind'] === 'kv') return { ...each, json: '"another"' };
      return each['kind'] === 'message' && each['text'] === 'for nobody' ? { ...each, text: 'for somebody', place } : each;
    });
    const differing = changed.filter((each, index) => JSON.stringify(each) !== JSON.stringify(records[index])).length;
    const path = await saved('changed.ndjson', written(first, changed));
    const left = await importInto(home, path);
    expect([left.code, left.json()]).toMatchObject([1, { added: 0, overwritten: 0, conflicts: differing, kept: records.length - differing }]);
    expect(recordsOf(await exportOf(home))).toEqual(recordsOf(text));
    const people = await runCommand(['import', path, '--home', home.path]);
    expect(people.stderr).toMatch(/conflict: kv notes last: it is another here/);

    const taken = await importInto(home, path, '--overwrite');
    expect([taken.code, taken.json()]).toMatchObject([0, { overwritten: differing, conflicts: 0 }]);
    expect(linesOf(await exportOf(home)).slice(1, -1)).toEqual(linesOf(written(first, changed)).slice(1, -1));
    await using store = await storeOf(home);
    expect((await store.get(kvUsage, kvUsage.key('notes')))?.value).toEqual({ bytes: 'last"another"'.length });
    const moved = changed.find(({ text: said }) => said === 'for somebody');
    const lines = (await store.range(conversations, conversations.prefix('webhook', 'c0'))).filter(({ key, value }) => (value.messageId ?? key.at(-1)) === moved?.['id']);
    expect(lines.map(({ key }) => key.at(-1))).toEqual([place]);
  });

  it('comes to the same when it is killed in the middle and begun again', async () => {
    await using home = await aHome();
    const ids = createIds(systemClock);
    const [message = {}] = records.filter(({ kind, outcome }) => kind === 'message' && outcome === 'unanswered');
    const { place: _place, ...plain } = message;
    const many = Array.from({ length: 3000 }, (): Line => ({ ...plain, id: ids.next(), text: 'x'.repeat(1000) }));
    const route: Line = { kind: 'route', target: '@identity:ada', routes: [{ instance: 'webhook', conversation: 'c0', thread: 't', atMs: 1_795_273_444_332 }] };
    const entries = Array.from({ length: 1000 }, (_, n): Line => ({ kind: 'kv', instance: 'notes', key: `k${String(n).padStart(6, '0')}`, json: `"${'v'.repeat(100)}"` }));
    const whole = written({ ...first, what: ['messages', 'sessions', 'kv'] }, [...many, route, ...entries]);
    const path = await saved('many.ndjson', whole);
    const total = many.length + 1 + entries.length;
    let torn = 0;
    for (const megabytes of [1, 3]) {
      const child = spawn(process.execPath, [LAUNCHER, 'import', path, '--home', home.path], { stdio: 'ignore' });
      const ended = new Promise((resolve) => child.on('exit', resolve));
      const store = join(home.path, 'data/store/data.mdb');
      await eventually(() => expect((existsSync(store) && statSync(store).size > megabytes * 2 ** 20) || child.exitCode !== null).toBe(true), 120_000);
      child.kill('SIGKILL');
      await ended;
      const { kept, added, conflicts } = (await importInto(home, path, '--dry-run')).json() as Record<'kept' | 'added' | 'conflicts', number>;
      expect([kept + added, conflicts]).toEqual([total, 0]);
      if (kept > 0 && kept < total) torn += 1;
    }
    expect(torn).toBeGreaterThan(0);
    expect(await importInto(home, path)).toMatchObject({ code: 0 });
    expect(recordsOf(await exportOf(home, '--what', 'messages,sessions,kv'))).toEqual(recordsOf(whole));
    await using store = await storeOf(home);
    expect((await store.get(kvUsage, kvUsage.key('notes')))?.value).toEqual({ bytes: 1000 * (7 + 102) });
  });
});

describe('a file that is no whole export', () => {
  const refusal = async (content: string | Uint8Array) => {
    try {
      await checkExport(sourceOf(content));
      return 'taken';
    } catch (thrown) {
      if (!(thrown instanceof GatehouseError)) throw thrown;
      expect(thrown.fields['line']).toBeTypeOf('number');
      return `${thrown.code} ${thrown.fields['line']} ${thrown.message}`;
    }
  };
  const of = (kind: string): Line => records.find((each) => each['kind'] === kind) ?? {};
  const future = '0fffffff-ffff-7fff-8fff-ffffffffffff';

  it('is refused with its line and what is wrong there', async () => {
    const message = of('message');
    const { senderMessageId: _, ...unnamed } = of('session');
    const cases: Readonly<Record<string, readonly [string, string]>> = {
      'is empty': ['', 'IMPORT_DAMAGED 1 .*ends before its last line'],
      'is something else': ['{"hello":1}\n', 'IMPORT_INVALID 1 .*not the first line of an export'],
      'is no JSON': ['hello\n', 'IMPORT_INVALID 1 '],
      'is of a later version': [written({ ...first, version: 2 }, []), 'IMPORT_VERSION 1 .*version 2; this host reads version 1'],
      'has an unknown part': [written({ ...first, what: ['messages', 'tokens'] }, []), 'IMPORT_INVALID 1 .*/what'],
      'has an unknown field in its first line': [written({ ...first, extra: 1 }, []), "IMPORT_INVALID 1 .*extra"],
      'has a kind that nobody knows': [written(first, [of('session'), { kind: 'token', id: 'x' }]), "IMPORT_INVALID 3 .*'token' is none of dedupe"],
      'has a record without a kind': [written(first, [{ id: 'x' }]), 'IMPORT_INVALID 2 .*kind'],
      'has a record that is no object': [written(first, ['7']), 'IMPORT_INVALID 2 .*kind'],
      'has a field that nobody knows': [written(first, [{ ...unnamed, extra: true }]), 'IMPORT_INVALID 2 .*extra'],
      'has a field twice': [written(first, ['{"kind":"session","kind":"session"}']), 'IMPORT_INVALID 2 .*kind'],
      'has a field that reaches a prototype': [written(first, ['{"kind":"session","__proto__":{}}']), 'IMPORT_INVALID 2 .*__proto__'],
      'has a message in work': [written(first, [{ ...message, outcome: 'accepted' }]), 'IMPORT_INVALID 2 .*/outcome'],
      'has an id that is none': [written(first, [{ ...message, id: '../../etc' }]), 'IMPORT_INVALID 2 .*/id'],
      'has an id from the future': [written(first, [{ ...message, id: future }]), `IMPORT_INVALID 2 .*${future} is from the future`],
      'has a place from the future': [written(first, [{ ...message, place: future }]), 'IMPORT_INVALID 2 .*from the future'],
      'has a time that is none': [written(first, [{ ...message, at: 'yesterday' }]), 'IMPORT_INVALID 2 .*/at'],
      'has a stage that would part the record': [written(first, [{ ...message, stages: [{ stage: 'a;b', decision: 'pass', durationMs: 1 }] }]), 'IMPORT_INVALID 2 .*/stages/0/stage'],
      'has a command that its text has not': [written(first, [{ ...message, command: { name: 'x', arguments: 'not in it' } }]), 'IMPORT_INVALID 2 .*/command'],
      'has a text that is too long': [written(first, [{ ...message, text: 'x'.repeat(300_000) }]), 'IMPORT_INVALID 2 .*/text'],
      'has a key that is none': [written(first, [{ ...of('kv'), key: 'a\u0007' }]), 'IMPORT_INVALID 2 .*/key: .*control'],
      'has a key that the store cannot hold': [written(first, [{ ...of('session'), key: '\u{1f600}'.repeat(599) }]), 'IMPORT_INVALID 2 .*longer than'],
      'has a value that is no JSON': [written(first, [{ ...of('kv'), json: '{"a": 1}' }]), 'IMPORT_INVALID 2 .*/json'],
      'has a value of many bytes': [written(first, [{ ...of('kv'), json: `"${'€'.repeat(30_000)}"` }]), 'IMPORT_INVALID 2 .*at most 65536 bytes'],
      'has a value as deep as it is long': [written(first, [{ ...of('kv'), json: `${'['.repeat(30_000)}${']'.repeat(30_000)}` }]), 'taken|IMPORT_INVALID 2 '],
      'has a pairing that waits, with its code': [written(first, [{ ...of('pairing'), state: 'pending' }]), 'IMPORT_INVALID 2 .*/state'],
      'has a record twice': [written(first, [of('session'), of('session')]), 'IMPORT_INVALID 3 .*twice'],
      'has records out of place': [written(first, [of('kv'), of('session')]), 'IMPORT_INVALID 3 .*not in its place'],
      'has what its first line does not name': [written({ ...first, what: ['kv'] }, [of('session')]), "IMPORT_INVALID 2 .*names no 'sessions'"],
      'has a line that never ends': [`${JSON.stringify(first)}\n${'x'.repeat(9 * 2 ** 20)}`, 'IMPORT_INVALID 2 .*longer than'],
      'is cut within a line': [text.slice(0, text.length / 2), 'IMPORT_DAMAGED \\d+ .*in the middle'],
      'is cut within its last line': [text.slice(0, -1), `IMPORT_DAMAGED ${records.length + 2} .*in the middle`],
      'is cut between lines': [`${text.split('\n').slice(0, 5).join('\n')}\n`, 'IMPORT_DAMAGED 6 .*before its last line'],
      'lost a line': [text.split('\n').toSpliced(3, 1).join('\n'), `IMPORT_DAMAGED ${records.length + 1} .*records of the kind`],
      'has another digest': [written(first, [of('session')], { sha256: '0'.repeat(64) }), 'IMPORT_DAMAGED 3 .*sha256'],
      'has another count': [written(first, [of('session')], { counts: { session: 2 } }), "IMPORT_DAMAGED 3 .*2 records of the kind 'session', and there are 1"],
      'goes on after its end': [`${text}{"kind":"session"}\n`, `IMPORT_DAMAGED ${records.length + 3} .*after the last line`],
      'is two exports in one': [text + text, `IMPORT_DAMAGED ${records.length + 3} .*after the last line`],
    };
    const wrong: string[] = [];
    for (const [name, [content, wanted]] of Object.entries(cases)) {
      const found = await refusal(content);
      if (!new RegExp(`^(${wanted})`, 's').test(found)) wrong.push(`${name}: ${found.slice(0, 300)}`);
    }
    expect(wrong).toEqual([]);
    await using home = await aHome();
    const broken = await importInto(home, await saved('broken.ndjson', text.slice(0, -100)));
    expect([broken.code, broken.json()]).toMatchObject([3, { error: { code: 'IMPORT_DAMAGED', message: expect.stringContaining(`line ${records.length + 2}`) } }]);
    expect(existsSync(join(home.path, 'data/store'))).toBe(false);
    expect((await importInto(home, join(dir.path, 'nothing'))).json()).toMatchObject({ error: { code: 'FILE_UNREADABLE' } });
    expect((await importInto(home, dir.path)).json()).toMatchObject({ error: { code: 'FILE_UNREADABLE' } });
  });

  it('is refused wherever one byte of it is another', async () => {
    const bytes = Buffer.from(text);
    const body = text.lastIndexOf('\n{"end"');
    const places = Array.from({ length: 150 }, (_, n) => Math.floor((n * body) / 150));
    for (const place of places) {
      const copy = Buffer.from(bytes);
      copy[place] = (copy[place] ?? 0) ^ (1 << (place % 7));
      expect([place, await refusal(copy)]).toEqual([place, expect.stringMatching(/^IMPORT_/)]);
    }
    for (const length of places) expect(await refusal(bytes.subarray(0, length))).toMatch(/^IMPORT_/);
  });
});
