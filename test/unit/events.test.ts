// The stream of events as readers meet it: what is kept and what comes, where they go on, what they are told they missed, and how it ends.
import { request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { EVENTS, EventEnvelope } from '../../schemas/event.ts';
import { readEvents, type Told } from '../../host/cli/event-stream.ts';
import { systemClock } from '../../host/clock.ts';
import { EventFeed } from '../../host/control/events/event-feed.ts';
import { mintToken, putToken } from '../../host/control/tokens.ts';
import { publish, type Events } from '../../host/events.ts';
import { compileSchema } from '../../host/schema.ts';
import { tokens } from '../../host/store/tables.ts';
import { put } from '../../host/store/store.ts';
import { startTestControl, type TestControl } from '../support/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { LAUNCHER } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';

/** Events are the whole process's: each test speaks of an instance of its own. */
const anInstance = () => `i${randomUUID().slice(0, 8)}`;

const moved = (instance: string, reason = 'it asked'): Events['plugin.state'] => ({ instance, plugin: 'test.echo', from: 'starting', to: 'active', actor: 'host', reason });
const answered = (instance: string, messageId: string): Events['message.outcome'] => ({ messageId, instance, direction: 'inbound', outcome: 'answered' });

interface Line extends AsyncDisposable {
  readonly answer: IncomingMessage;
  /** The next event; 'caught up' is skipped unless asked for. */
  next(): Promise<EventEnvelope>;
  /** What is told until everything from before is, behind what is there. */
  caughtUp(into?: EventEnvelope[]): Promise<EventEnvelope[]>;
  /** Resolves when the host has ended the stream. */
  readonly ended: Promise<void>;
}

async function listen(control: TestControl, query: string, headers: Record<string, string> = {}, token = control.adminToken): Promise<Line> {
  const outgoing = request(`${control.control.address}/api/v1/events${query}`, { agent: false, headers: { authorization: `Bearer ${token}`, ...headers } });
  outgoing.end();
  const answer = await new Promise<IncomingMessage>((resolve, reject) => outgoing.once('response', resolve).once('error', reject));
  const told = readEvents(answer)[Symbol.asyncIterator]();
  const ended = new Promise<void>((resolve) => answer.once('close', resolve));
  const one = async (): Promise<Told> => {
    const { value, done } = await told.next();
    if (done) throw new Error('the stream has ended');
    return value;
  };
  return {
    answer,
    ended,
    async next() {
      const first = await one();
      const value = first === 'caught up' ? await one() : first;
      if (value === 'caught up') throw new Error('caught up twice');
      return value.event;
    },
    async caughtUp(events = []) {
      for (let value = await one(); value !== 'caught up'; value = await one()) events.push(value.event);
      return events;
    },
    async [Symbol.asyncDispose]() {
      outgoing.destroy();
      await ended;
    },
  };
}

const typesAndReasons = (events: readonly EventEnvelope[]) => events.map(({ type, data }) => `${type} ${String(data['reason'] ?? data['messageId'])}`);

describe('the stream of events', () => {
  it('tells what comes, to whoever asked for it', async () => {
    const instance = anInstance();
    await using control = await startTestControl();
    await using all = await listen(control, `?instance=${instance}`);
    await using some = await listen(control, `?instance=${instance}&types=message.*`);
    expect(all.answer.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(await all.caughtUp()).toEqual([]);
    publish('plugin.state', moved(instance));
    publish('plugin.state', moved(anInstance()));
    publish('message.outcome', answered(instance, 'm1'));
    const first = await all.next();
    expect(first).toMatchObject({ v: 1, type: 'plugin.state', data: moved(instance) });
    expect(compileSchema(EventEnvelope).explain(first)).toBeUndefined();
    expect(compileSchema(EVENTS['plugin.state']).explain(first.data)).toBeUndefined();
    expect((await all.next()).type).toBe('message.outcome');
    expect((await some.next()).type).toBe('message.outcome');
  });

  it('goes on where a reader was, and begins with all that is kept for one that asks so', async () => {
    const instance = anInstance();
    await using control = await startTestControl();
    publish('plugin.state', moved(instance, 'first'));
    publish('message.outcome', answered(instance, 'second'));
    publish('plugin.state', moved(instance, 'third'));
    await using whole = await listen(control, `?instance=${instance}&after=`);
    const kept = await whole.caughtUp();
    expect(typesAndReasons(kept)).toEqual(['plugin.state first', 'message.outcome second', 'plugin.state third']);
    await using resumed = await listen(control, `?instance=${instance}`, { 'last-event-id': kept[0]?.id ?? '' });
    expect(await resumed.caughtUp()).toEqual(kept.slice(1));
    await using fresh = await listen(control, `?instance=${instance}`);
    expect(await fresh.caughtUp()).toEqual([]);
  });

  it('says so when what came after an id is gone: too much, another run, no such id', async () => {
    const instance = anInstance();
    await using control = await startTestControl();
    const gapAfter = async (id: string) => {
      await using line = await listen(control, `?instance=${instance}&types=plugin.state`, { 'last-event-id': id });
      const [first, ...rest] = await line.caughtUp();
      return [first?.type, first?.data['reason'], rest.length];
    };
    publish('plugin.state', moved(instance, 'the first'));
    await using line = await listen(control, `?instance=${instance}&after=`);
    const id = (await line.caughtUp()).at(-1)?.id ?? '';
    for (let index = 0; index < 1001; index += 1) publish('plugin.state', moved(instance));
    expect(await gapAfter(id)).toEqual(['gap', 'overflow', 1000]);
    expect(await gapAfter('zzz.1')).toEqual(['gap', 'restarted', 1000]);
    expect(await gapAfter(id.replace(/\d+$/, '999999999'))).toEqual(['gap', 'unknown', 1000]);
    expect(await gapAfter('nonsense')).toEqual(['gap', 'unknown', 1000]);
  });

  it('keeps what is rare through a flood of what is not', () => {
    const instance = anInstance();
    const feed = new EventFeed(systemClock, 0);
    publish('plugin.state', moved(instance, 'rare'));
    for (let index = 0; index < 5000; index += 1) publish('message.outcome', answered(instance, `m${index}`));
    const seen: EventEnvelope[] = [];
    for (let cursor = feed.cursorAt(''); feed.isBehind(cursor); ) {
      const batch = feed.next(cursor, { instance });
      seen.push(...batch.events);
      cursor = batch.cursor;
    }
    feed.close();
    expect(seen).toHaveLength(1001);
    expect(typesAndReasons(seen.slice(0, 2))).toEqual(['plugin.state rare', 'message.outcome m4000']);
  });

  it('gives a slow reader what it missed, and cuts off one that takes nothing', async () => {
    const instance = anInstance();
    await using control = await startTestControl({ events: { heartbeatMs: 50, streams: 1 } });
    const reason = 'x'.repeat(4000);
    for (let index = 0; index < 1000; index += 1) for (const type of ['plugin.state', 'plugin.restarted'] as const) publish(type, type === 'plugin.state' ? moved(instance, reason) : { instance, restarts: index, delayMs: 0, reason });
    // Several megabytes at once: more than any buffer on the way holds. The one place there is stays taken until the deaf reader is cut off.
    await using deaf = await listen(control, `?instance=${instance}&after=`);
    expect(deaf.answer.statusCode).toBe(200);
    const kept: EventEnvelope[] = [];
    await eventually(async () => {
      await using line = await listen(control, `?instance=${instance}`, { 'last-event-id': kept.at(-1)?.id ?? '' });
      expect(line.answer.statusCode).toBe(200);
      await line.caughtUp(kept); // on a busy machine it may be cut off itself, and goes on where it was
    });
    expect(kept).toHaveLength(2000);
    expect(new Set(kept.map(({ id }) => id)).size).toBe(2000);
  });

  it('ends when its token is revoked, and refuses one without the scope', async () => {
    await using control = await startTestControl({ events: { heartbeatMs: 20 } });
    const { store } = control.host;
    const { token, row } = mintToken({ label: 'reader', scopes: ['events:read'] }, systemClock);
    const other = mintToken({ label: 'other', scopes: ['status:read'] }, systemClock);
    await store.commit({ put: [putToken(row), putToken(other.row)] });
    await using line = await listen(control, '', {}, token);
    expect(line.answer.statusCode).toBe(200);
    await store.commit({ put: [put(tokens, tokens.key(row.id), { ...row, revokedAt: '2026-01-01T00:00:00.000Z' })] });
    line.answer.resume();
    await line.ended;
    expect(await control.call('GET', '/api/v1/events', { token: other.token })).toMatchObject({ status: 403, json: { code: 'FORBIDDEN' } });
    expect(await control.call('GET', '/api/v1/events')).toMatchObject({ status: 401 });
  });

  it('refuses what it does not know, and more streams than there may be', async () => {
    await using control = await startTestControl({ events: { streams: 1 } });
    expect(await control.call('GET', '/api/v1/events?types=plugin.sate', { token: true })).toMatchObject({ status: 400, json: { code: 'REQUEST_INVALID' } });
    expect(await control.call('POST', '/api/v1/events', { token: true })).toMatchObject({ status: 405 });
    await using line = await listen(control, '');
    expect(await control.call('GET', '/api/v1/events', { token: true })).toMatchObject({ status: 503, json: { code: 'EVENT_STREAMS_BUSY' } });
    await line[Symbol.asyncDispose]();
    await eventually(async () => {
      await using next = await listen(control, '');
      expect(next.answer.statusCode).toBe(200);
    });
  });

  it('does not keep the host from stopping', async () => {
    const control = await startTestControl();
    const line = await listen(control, '');
    line.answer.resume();
    await control[Symbol.asyncDispose]();
    await line.ended;
    expect(line.answer.complete).toBe(true);
  });
});

describe('gatehouse events', () => {
  it('prints what is kept and ends', async () => {
    const instance = anInstance();
    await using control = await startTestControl();
    publish('plugin.state', moved(instance, 'because \u001b[31mred'));
    const script = await runCommand(['events', '--instance', instance, '--json', '--home', control.home]);
    expect(script).toMatchObject({ code: 0 });
    expect(script.json()).toMatchObject({ type: 'plugin.state', data: { instance } });
    const human = await runCommand(['events', '--instance', instance, '--home', control.home]);
    expect(human.stdout).toMatch(new RegExp(`^\\d\\d:\\d\\d:\\d\\d\\.\\d{3} plugin\\.state instance=${instance} .*reason=because`));
    expect(human.stdout).not.toContain('\u001b');
    expect(await runCommand(['events', '--types', 'nothing', '--home', control.home])).toMatchObject({ code: 2 });
  });

  it('follows until it is interrupted', async () => {
    const instance = anInstance();
    await using control = await startTestControl();
    const child = spawn(process.execPath, [LAUNCHER, 'events', '--follow', '--json', '--instance', instance, '--home', control.home], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    let seen = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (seen += text));
    publish('plugin.state', moved(instance, 'before'));
    await eventually(() => expect(seen).toContain('before'), 120_000);
    publish('plugin.state', moved(instance, 'after'));
    await eventually(() => expect(seen.trim().split('\n').map((line) => JSON.parse(line).data.reason)).toEqual(['before', 'after']));
    child.kill('SIGINT');
    await exited;
  });
});
