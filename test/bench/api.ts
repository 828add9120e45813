// Lists of the control plane over a million messages, asked through HTTP of a real host: the first page, pages behind a cursor, filters that fit many and few, one message with its walk.
import { join } from 'node:path';
import { epochMsOf, createIds } from '../../host/ids.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { endingOf } from '../../host/store/messages.ts';
import { put, type Put, type Store } from '../../host/store/store.ts';
import { conversations, messages, type MessageRow } from '../../host/store/tables.ts';
import { systemClock, toTimestamp } from '../../host/clock.ts';
import { ConversationId, InstanceId, MessageId, SessionKey } from '../../schemas/ids.ts';
import type { StageRecord } from '../../schemas/message.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHandClock } from '../support/hand-clock.ts';
import { aHome } from '../support/home.ts';
import { quantile } from './load.ts';

/** Of a store of any size: one message in so many is of the channel `quiet`, and one in so many ended as a dead letter. */
const RARE = 20_000;
const CONVERSATIONS = 10_000;
const ROWS_A_COMMIT = 6_000;
/** Between two messages. */
const STEP_MS = 2_000;

export async function api({ smoke }: { readonly smoke: boolean }): Promise<void> {
  const count = smoke ? 20_000 : 1_000_000;
  const rounds = smoke ? 5 : 200;
  await using home = await aHome();
  const startedMs = performance.now();
  const { newest, middle, storeMb } = await fill(join(home.path, 'data', 'store'), count);
  console.log(`api messages=${count} filledInS=${((performance.now() - startedMs) / 1000).toFixed(1)} storeMb=${storeMb.toFixed(0)}`);

  await using gatehouse = await startGatehouse(home);
  const day = (id: string, days: number) => encodeURIComponent(toTimestamp(epochMsOf(id) + days * 86_400_000));
  const paths: Readonly<Record<string, string>> = {
    'first-page': '/messages',
    'of-200': '/messages?limit=200',
    'behind-a-cursor': `/messages?cursor=${middle}`,
    'direction': '/messages?direction=inbound',
    'instance-busy': '/messages?instance=busy',
    'instance-quiet': '/messages?instance=quiet',
    'conversation': '/messages?instance=busy&conversation=room-17',
    'outcome-often': '/messages?outcome=answered',
    'outcome-rare': '/messages?outcome=dead-lettered',
    'nothing-fits': '/messages?instance=nobody',
    'span-in-the-middle': `/messages?since=${day(middle, -1)}&until=${day(middle, 0)}`,
    'detail': `/messages/${newest}`,
  };
  for (const [name, path] of Object.entries(paths)) {
    const { took, bytes, items, pages } = await measured(gatehouse, path, rounds);
    console.log(`api messages=${count} ask=${name} p50Ms=${quantile(took, 0.5).toFixed(2)} p99Ms=${quantile(took, 0.99).toFixed(2)} maxMs=${Math.max(...took).toFixed(1)} items=${items} kB=${(bytes / 1024).toFixed(0)}${pages === undefined ? '' : ` pagesToTheFirst=${pages}`}`);
  }
}

/** Asks the same several times, and follows empty pages once, as somebody does who looks for something rare. */
async function measured(gatehouse: Gatehouse, path: string, rounds: number) {
  const took: number[] = [];
  let last = { status: 0, text: '' };
  for (let round = 0; round < rounds; round += 1) {
    const beganMs = performance.now();
    last = await gatehouse.api(path);
    took.push(performance.now() - beganMs);
    if (last.status !== 200) throw new Error(`${path} answered ${last.status}: ${last.text}`);
  }
  const first: { items?: unknown[]; cursor?: string | null } = JSON.parse(last.text);
  let pages: number | undefined;
  for (let page = first; page.items?.length === 0 && page.cursor !== null; pages = (pages ?? 0) + 1) page = (await gatehouse.api(`${path}&cursor=${page.cursor}`)).json<typeof first>();
  return { took, bytes: Buffer.byteLength(last.text), items: first.items?.length ?? 1, pages };
}

/** Messages and their answers over weeks, as the pipeline leaves them: row, ending, line of the conversation. Through the store's own port, many a commit. */
async function fill(dir: string, count: number): Promise<{ readonly newest: string; readonly middle: string; readonly storeMb: number }> {
  const clock = aHandClock(systemClock.now() - count * STEP_MS);
  const ids = createIds(clock);
  const made: MessageId[] = [];
  await using store = await openStore({ dir, clock: systemClock });
  let rows: Put[] = [];
  for (let at = 0; at < count; at += 1) {
    clock.turn(STEP_MS);
    const id = ids.next();
    made.push(id);
    rows.push(...rowsOf(at, id, made[at - 1], toTimestamp(clock.now())));
    if (rows.length >= ROWS_A_COMMIT || at === count - 1) rows = await written(store, rows);
  }
  return { newest: made.at(-1) ?? '', middle: made[count / 2] ?? '', storeMb: store.stats().usedBytes / 2 ** 20 };
}

async function written(store: Store, rows: readonly Put[]): Promise<Put[]> {
  await store.commit({ put: rows });
  return [];
}

const STAGES: readonly StageRecord[] = ['receive', 'normalize', 'admit', 'moderate', 'accept', 'respond', 'offer', 'conclude'].map((stage, at) => ({ stage, decision: 'pass', durationMs: at / 8, ...(at % 3 === 0 ? { instance: 'busy', cpuUs: 120 } : {}) }));

/** A question and its answer by turns. */
function rowsOf(at: number, id: MessageId, before: MessageId | undefined, time: string): Put[] {
  const isAnswer = at % 2 === 1;
  const turn = Math.floor(at / 2);
  const instance = InstanceId.of(turn % RARE === 7 ? 'quiet' : turn % 4 === 0 ? 'second' : 'busy');
  const conversation = ConversationId.of(`room-${turn % CONVERSATIONS}`);
  const row: MessageRow = {
    id, instance, conversation,
    sessionKey: SessionKey.of(`${instance}:c:${conversation}`),
    sender: { id: isAnswer ? 'echo' : `person-${turn % 50_000}` },
    direction: isAnswer ? 'outbound' : 'inbound',
    outcome: isAnswer ? 'pending' : 'accepted',
    text: `message number ${turn}, of ordinary length as people write them in a chat`,
    mentions: [], media: [], flags: [], stages: STAGES, at: time,
    ...(isAnswer && before !== undefined ? { answers: before } : {}),
  };
  const outcome = turn % RARE === 11 ? 'dead-lettered' : isAnswer ? 'delivered' : 'answered';
  return [put(messages, messages.key(id), row), endingOf({ ...row, outcome }), put(conversations, conversations.key(instance, conversation, id), { direction: row.direction })];
}
