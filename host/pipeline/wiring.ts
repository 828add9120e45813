// Wires the stages of pipeline.ts to the store, the plugins and the lanes, and shows host.ts one face. Order is the story's; what is here only knows who needs whom.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { Action } from '../../schemas/message.ts';
import type { PipelineSettings } from '../../schemas/host-config.ts';
import type { RetentionSettings } from '../../schemas/retention.ts';
import type { QueuePolicy } from '../../schemas/policy.ts';
import type { KvLedger } from '../capabilities/kv-ledger.ts';
import type { CallScope } from '../broker/call-scope.ts';
import type { SenderRates } from '../broker/quota.ts';
import type { Clock } from '../clock.ts';
import type { Ids } from '../ids.ts';
import type { Log } from '../log.ts';
import { GatehouseError } from '../errors.ts';
import { hasListeners, publish } from '../events.ts';
import { Actions, type ActionParts } from '../outbound/actions.ts';
import { Gateway } from '../outbound/gateway.ts';
import { Presence } from '../outbound/presence.ts';
import { Rates } from '../outbound/rate.ts';
import { SocketHub } from '../outbound/sockets.ts';
import type { MediaLinks } from '../media/links.ts';
import { outboundMedia } from './delivery/outbound-media.ts';
import { createIntake, type IntakeParts } from '../media/intake.ts';
import type { MediaStore } from '../media/media-store.ts';
import { mediaSweeper } from './media-sweeper.ts';
import { fileRequestOf } from './ingress/file-request.ts';
import { createLanes, type Lanes, type LanesOptions } from '../store/lanes.ts';
import type { Store } from '../store/store.ts';
import type { MessageRow } from '../store/tables.ts';
import type { Tracing } from '../tracing.ts';
import { Workers } from '../supervisor/workers.ts';
import type { Offered } from './context.ts';
import { deadLetterDesk, type DeadLetterDesk } from './letters/dead-letter-desk.ts';
import { DeadLetters } from './letters/dead-letters.ts';
import { DeliveryWork, type DeliveryItem } from './delivery/delivery-work.ts';
import { Echoes } from './echoes.ts';
import { Held } from './gating/held.ts';
import type { HeldSeal } from './gating/held-seal.ts';
import type { Identities } from './sessions/identities.ts';
import { Inbound } from './inbound.ts';
import { Ingress } from './ingress/ingress.ts';
import { LaneDesk } from './lanes/lane-desk.ts';
import { LaneGroups } from './lanes/lane-groups.ts';
import { LaneRoom } from './lanes/lane-room.ts';
import { LaneWatchdog } from './lanes/lane-watchdog.ts';
import { LaneWork, type LaneItem } from './lanes/lane-work.ts';
import { OperatorSend } from './delivery/operator-send.ts';
import { Outbox } from './delivery/outbox.ts';
import type { PluginCalls } from './plugin-calls.ts';
import { MOST_IN_WORK, Pressure, type PRESSURE_DEFAULTS } from './pressure.ts';
import type { PluginDirectory } from './plugin-directory.ts';
import { PluginWrites } from './plugin-writes.ts';
import { inLanes, waitingDeliveries, waitingMessages } from './recovery.ts';
import type { Pairings } from './pairing/pairings.ts';
import { strangers } from './pairing/strangers.ts';
import { Reach } from './sessions/reach.ts';
import { Rooms } from './sessions/rooms.ts';
import { SessionQueries } from './sessions/session-queries.ts';
import { LetterReplays } from './letters/letter-replays.ts';
import { SessionBook } from './sessions/sessions.ts';
import { CommandWork } from './commands/command-work.ts';
import { hostCommand } from './commands/host-commands.ts';
import type { SessionControl } from './commands/session-control.ts';
import { latestOf } from './conversation-order.ts';
import { QueueModes } from './lanes/queue-modes.ts';
import { Retention } from './retention.ts';
import { sweeper, type LetterRetention } from './sweeper.ts';
import { WallClock } from './wall-clock.ts';
import { turnOf } from './lanes/turns.ts';
import { commandStages, inboundStages, laneStages, outboundStages } from './pipeline.ts';

/** Beyond this many waiting messages, rows are read from the store when their turn comes. */
const MOST_ROWS_IN_MEMORY = 5000;

/** More than any call into a plugin may take: its wall time, what it waits for the host, and its sandbox’s restart. */
const STUCK_AFTER_MS = 600_000;

export interface PipelineParts {
  /** What host.json says of messages on their way. */
  readonly settings: PipelineSettings;
  readonly clock: Clock;
  readonly tracing: Tracing;
  readonly ids: Ids;
  readonly log: Log;
  readonly store: Store;
  readonly ledger: KvLedger;
  /** What messages are sealed with while they wait for a quarantined gate. */
  readonly heldSeal: HeldSeal;
  readonly rates: SenderRates;
  readonly identities: Pick<Identities, 'of'>;
  readonly calls: PluginCalls;
  readonly directory: PluginDirectory;
  /** Performs a request of a channel under the channel's grants. */
  readonly request: ActionParts['request'];
  /** How full queues may be, and what follows. */
  readonly pressure: typeof PRESSURE_DEFAULTS;
  /** How long dead letters are kept, and how many. */
  readonly letterRetention: LetterRetention;
  /** How long messages and sessions are kept. */
  readonly retention: RetentionSettings;
  /** The files that messages carry. */
  readonly media: MediaStore;
  /** Fetches one of them as the channel, under its grants. */
  readonly download: IntakeParts['download'];
  /** Signs the addresses of stored files. */
  readonly links: MediaLinks;
  /** The origin by which others reach this host; empty when nobody said. */
  readonly filesUrl: string;
  /** Who was let in where. */
  readonly pairings: Pairings;
  /** Forgets requests, refusals and invites that are over. */
  readonly sweepPairing: (signal: AbortSignal) => Promise<void>;
  /** A quarantined gate with `onQuarantine: "exit"` met a message. */
  onGateExit(instance: string): void;
}

export interface Pipeline extends AsyncDisposable {
  readonly ingress: Ingress;
  readonly sockets: SocketHub;
  readonly operator: OperatorSend;
  /** Commits what a call wrote that no message carries. */
  keep(scope: CallScope): Promise<void>;
  /** Performs actions of a channel that nobody waits for. */
  performAside(instance: string, actions: readonly Action[]): void;
  /** What plugins send. */
  readonly outbox: Outbox;
  readonly sessions: SessionQueries;
  readonly laneDesk: LaneDesk;
  readonly deadLetters: Pick<DeadLetters, 'count'>;
  readonly letterDesk: DeadLetterDesk;
  readonly held: Held;
  readonly pressure: Pick<Pressure, 'view'>;
  readonly retention: Pick<Retention, 'view'>;
  /** What works beside the messages. */
  readonly workers: Pick<Workers, 'views'>;
  readonly lanes: Pick<Lanes<LaneItem>, 'waiting' | 'running' | 'extremes'>;
  readonly deliveries: Pick<Lanes<DeliveryItem>, 'waiting' | 'running' | 'extremes'>;
  /** Takes up what the store still holds from before; work begins at once. */
  recover(): Promise<{ readonly messages: number; readonly deliveries: number }>;
  /** Takes up no new work and waits for what runs; the rest waits on disk. */
  drain(deadlineMs: number): Promise<void>;
}

/** Wires the stages to the store, the plugins and the two sets of lanes. */
export function createPipeline(parts: PipelineParts): Pipeline {
  const { clock, log, store } = parts;
  const book = new SessionBook(store);
  const modes = new QueueModes(parts);
  const sockets = new SocketHub();
  const actions = new Actions({ ...parts, sockets });
  const gateway = new Gateway({ ...parts, sockets, actions, rates: new Rates(clock) });

  const onFault = (work: string) => (thrown: unknown) => {
    log.error({ work, err: thrown instanceof Error ? thrown.message : 'unknown' }, 'a lane could not finish its work; it is tried again');
    return { retryAtMs: clock.now() + 1000 };
  };
  const deliveryLanes = createLanes<DeliveryItem>({
    clock,
    concurrency: BOUNDS.deliveriesInFlight,
    groups: { of: (lane) => lane.slice(0, lane.indexOf(':')), concurrency: BOUNDS.deliveriesInFlightPerInstance },
    work: (item) => deliveryWork.work(item),
    onFault: onFault('deliver'),
  });
  const { lanes: laneSettings = {} } = parts.settings;
  const messageLanes = createLanes<LaneItem>({ clock, ...(laneSettings.runBudget !== undefined && { concurrency: laneSettings.runBudget }), ...(laneSettings.depth !== undefined && { depth: laneSettings.depth }), turns: turnsOf(parts.directory), work: (item) => laneWork.work(item), onFault: onFault('respond') });
  const commandLanes = createLanes<LaneItem>({ clock, depth: BOUNDS.commandsWaiting, work: (item) => commandWork.work(item), onFault: onFault('command') });
  const enqueueDelivery = (item: DeliveryItem) => deliveryLanes.enqueue(deliveryLane(item), item);

  const echoes = new Echoes(clock);
  const onReply = (row: MessageRow, offered?: Offered) => {
    echoes.remember(row);
    enqueueDelivery({ messageId: row.id, instance: row.instance, conversation: row.conversation, attempts: 0, ...(deliveryLanes.waiting < MOST_ROWS_IN_MEMORY ? { row, ...(offered && { offered }) } : {}) });
  };
  const writes: PluginWrites = new PluginWrites({ ...parts, onSent: (row) => outbox.sent(row) });
  const reserve = (instance: string, conversation: string) => {
    const lane = deliveryLane({ instance, conversation });
    if (deliveryLanes.waiting >= parts.pressure.deliveries) throw new GatehouseError('HOST_BUSY', { queue: 'deliveries', depth: deliveryLanes.waiting });
    if (deliveryLanes.reserve(lane) === 'full') throw new GatehouseError('LANE_FULL', { queue: 'deliveries', depth: deliveryLanes.depth(lane) });
  };
  const rooms = new Rooms({ store, clock, log });
  const outbox = new Outbox({ ...parts, writes, rooms, reserve, unreserve: (instance, conversation) => deliveryLanes.unreserve(deliveryLane({ instance, conversation })), deliver: (row) => onReply(row) });
  const reach = new Reach({ store, clock, log, maySendTo: (instance) => parts.directory.channel(instance)?.section.abilities.includes('send') ?? false });
  const operator = new OperatorSend({ ...parts, writes, reach, rooms, enqueueDelivery });
  const held: Held = new Held({ clock, store, log, writes, seal: parts.heldSeal, resubmit: (resumed) => inbound.resume(resumed), mustWait: (gate) => isQuarantined(parts.directory, gate) });
  const onSettled = (row: MessageRow) => {
    if (hasListeners('message.outcome')) {
      publish('message.outcome', { messageId: row.id, instance: row.instance, direction: 'outbound', outcome: row.outcome, ...(row.answers === undefined ? {} : { answers: row.answers }), durationMs: Math.max(0, clock.now() - Date.parse(row.at)) });
    }
    operator.settled(row);
  };
  const intake = createIntake({ ...parts, requestOf: fileRequestOf(parts) });
  const control: SessionControl = {
    depth: (sessionKey) => messageLanes.depth(sessionKey),
    mode: (sessionKey, byPolicy) => modes.of(sessionKey, byPolicy),
    setMode: (sessionKey, mode) => modes.set(sessionKey, mode),
    stop(sessionKey, before) {
      const run = laneWork.running.get(sessionKey);
      return run !== undefined && run.place < before && laneWork.cancel(sessionKey, 'stopped');
    },
    latest: (instance, conversation) => latestOf(store, instance, conversation),
  };
  const deliveryDepth = (instance: string, conversation: string) => deliveryLanes.depth(deliveryLane({ instance, conversation }));
  const everything = {
    ...parts,
    control,
    intake,
    fitMedia: outboundMedia(parts),
    book,
    reach,
    rooms,
    sockets,
    actions,
    gateway,
    writes,
    echoes,
    strangers: strangers({ ...parts, enqueueDelivery }),
    reserve: (sessionKey: string, { cap, drop }: Required<QueuePolicy>) => messageLanes.reserve(sessionKey, cap, drop !== 'new'),
    laneRoom: new LaneRoom({ store, ids: parts.ids, lanes: messageLanes }),
    reserveAside: (sessionKey: string) => commandLanes.reserve(sessionKey),
    laneDepth: (sessionKey: string, aside: boolean) => (aside ? commandLanes : messageLanes).depth(sessionKey),
    held,
    deliveryDepth,
    presence: new Presence({ ...parts, actions, deliveryDepth }),
    onReply,
    onDelivered: (row: MessageRow) => {
      echoes.remember(row);
      onSettled(row);
    },
    onConcluded: (row: MessageRow) => publish('message.outcome', { messageId: row.id, instance: row.instance, direction: 'inbound', outcome: row.outcome }),
    onSettled,
  };

  const pressure = new Pressure(parts.pressure, () => [
    { queue: 'messages', depth: messageLanes.waiting + commandLanes.waiting, limit: parts.pressure.messages },
    { queue: 'deliveries', depth: deliveryLanes.waiting, limit: parts.pressure.deliveries },
    { queue: 'arrivals', depth: inbound.inWork, limit: MOST_IN_WORK },
  ]);
  const inbound: Inbound = new Inbound({
    ...parts,
    stages: inboundStages(everything),
    stagesAfterHold: inboundStages(everything).filter((each) => each.name === 'moderate' || each.name === 'media' || each.name === 'accept'),
    refusal: (priority) => pressure.refusal(priority),
    unreserve: (sessionKey, place) => (place === 'aside' ? commandLanes : messageLanes).unreserve(sessionKey),
    onAccepted: (place, row, session, { mode, debounceMs }) => {
      const item = { place, messageId: row.id, attempts: 0, turn: turnOf(row), ...(messageLanes.waiting < MOST_ROWS_IN_MEMORY ? { row, session } : {}) };
      if (hostCommand(row.command?.name)) commandLanes.enqueue(row.sessionKey, item);
      else if (debounceMs > 0) messageLanes.enqueue(row.sessionKey, item, 0, { ms: debounceMs, sinceMs: clock.now() });
      else messageLanes.enqueue(row.sessionKey, item);
      if (modes.of(row.sessionKey, mode) === 'interrupt') laneWork.overtake(row);
    },
  });
  const groups = new LaneGroups({ store, log, lanes: messageLanes, modes });
  const laneWork: LaneWork = new LaneWork({ ...parts, book, lanes: messageLanes, groups, modes, stages: laneStages(everything) });
  const commandWork = new CommandWork({ ...parts, book, stages: commandStages(everything) });
  const deliveryWork = new DeliveryWork({ ...parts, modes, writes, gateway, stages: outboundStages(everything), onDead: (row) => operator.settled(row) });
  const ingress = new Ingress({ ...parts, sockets, actions, writes, submit: (arrival) => inbound.submit(arrival), pauseMs: () => pressure.pauseMs() });
  const sessions = new SessionQueries({ store, clock, book, reach, rooms, laneDepth: (sessionKey) => messageLanes.depth(sessionKey) });
  const deadLetters = new DeadLetters({ store, clock, ids: parts.ids, enqueueLane: (sessionKey, item) => (item.aside ? commandLanes : messageLanes).enqueue(sessionKey, item), enqueueDelivery });

  const workers = new Workers(clock);
  const watchdog = new LaneWatchdog({ clock, work: laneWork, stuckAfterMs: laneSettings.stuckAfterMs ?? STUCK_AFTER_MS });
  workers.start(watchdog.worker());
  const laneDesk = new LaneDesk({ clock, store, lanes: messageLanes, work: laneWork, modes, watchdog });
  workers.start(pressure.worker());
  const wallClock = new WallClock(parts);
  workers.start(sweeper({ clock, wallClock, store, sweepPairing: parts.sweepPairing, held, bounded: [reach, rooms], deadLetters, retention: parts.letterRetention }));
  const retention = new Retention({ store, clock, wallClock, book, settings: parts.retention });
  workers.start(retention.worker());
  const letterReplays = new LetterReplays({ clock, store, directory: parts.directory, deadLetters });
  const replayWorker = workers.start(letterReplays.worker(() => replayWorker.wake()));
  // At once, too: a crash may have left files that no row speaks of.
  workers.start(mediaSweeper({ ...parts, wallClock })).wake();

  const drain = async (deadlineMs: number) => {
    const giveUpAt = clock.monotonicMs() + deadlineMs;
    await workers[Symbol.asyncDispose]();
    await held[Symbol.asyncDispose]();
    await reach[Symbol.asyncDispose]();
    await rooms[Symbol.asyncDispose]();
    await messageLanes.close(deadlineMs);
    await commandLanes.close(Math.max(0, giveUpAt - clock.monotonicMs()));
    await deliveryLanes.close(Math.max(0, giveUpAt - clock.monotonicMs()));
    await actions.close(Math.max(0, giveUpAt - clock.monotonicMs()));
  };
  return {
    ingress,
    keep: (scope) => writes.commit(scope),
    performAside: (instance, list) => actions.performAside(instance, list),
    sockets,
    operator,
    outbox,
    deadLetters,
    laneDesk,
    sessions,
    letterDesk: deadLetterDesk({ deadLetters, replays: letterReplays, wake: () => replayWorker.wake(), log }),
    held,
    pressure,
    retention,
    workers,
    lanes: messageLanes,
    deliveries: deliveryLanes,
    async recover() {
      const recoveredAtMs = clock.now();
      await modes.load();
      // Deliveries first: messages begin to be answered at once, and what they add to the queue must not be found there again. Held messages last, for the same
      // reason: the first gate that comes up lets them go on into the lanes.
      await gateway.recover();
      const deliveries = await deliveryLanes.recover(waitingDeliveries(store, deliveryLane, (messageId) => outbox.isFresh(messageId), recoveredAtMs));
      outbox.recovered();
      const messages = await messageLanes.recover(inLanes(waitingMessages(store, recoveredAtMs), ({ lane, item, notBeforeMs }) => commandLanes.enqueue(lane, item, notBeforeMs)));
      await held.recover();
      if (held.waiting > 0) void held.release();
      replayWorker.wake();
      return { messages, deliveries };
    },
    drain,
    [Symbol.asyncDispose]: () => drain(0),
  };
}

/** One channel instance after the other, each as often as its weight says, and within one its senders: who brings much waits for his own. */
function turnsOf(directory: PluginDirectory): LanesOptions<LaneItem>['turns'] {
  return {
    party: ({ turn }) => turn?.party ?? '',
    member: ({ turn }) => turn?.member ?? '',
    weightOf: (instance) => directory.channel(instance)?.policy.admit?.weight ?? 1,
  };
}

/** Messages wait for a gate only while it takes part and is quarantined. */
function isQuarantined(directory: PluginDirectory, gate: string): boolean {
  return directory.gates('inbound').some(({ instance, quarantined }) => instance === gate && quarantined);
}

/** The routing key of a delivery: one conversation of one instance, in order. */
function deliveryLane(item: { readonly instance: string; readonly conversation: string }): string {
  return `${item.instance}:${item.conversation}`;
}
