// What a row of gates comes to on one message, from a case written as data: test/fixtures/gates/*.json says who says what. The real fold over the real broker, with answers in place of sandboxes.
import { hash } from 'node:crypto';
import { Broker } from '../../host/broker/broker.ts';
import { MinuteQuotas } from '../../host/broker/quota.ts';
import { systemClock } from '../../host/clock.ts';
import { askGates } from '../../host/pipeline/gating/gates.ts';
import { PluginCalls } from '../../host/pipeline/plugin-calls.ts';
import type { ChannelEntry, GateEntry } from '../../host/pipeline/plugin-directory.ts';
import type { CallFailure, CallResult } from '../../host/sandbox/sandbox.ts';
import type { Direction, Message } from '../../schemas/message.ts';
import type { GatesPolicy } from '../../schemas/policy.ts';
import { silentLog } from './sandboxes.ts';
import { instanceId, withIds } from './ids.ts';

interface CaseGate extends Partial<Pick<GateEntry, 'available' | 'quarantined' | 'onQuarantine' | 'onTimeout' | 'relaxTo'>> {
  readonly instance: string;
  /** Its decision, or `"fails:<code>"` for a call that gave none. Default: pass. */
  readonly says?: unknown;
}

export interface GateCase {
  /** In the order in which they are asked. */
  readonly gates: readonly CaseGate[];
  /** `gates` of the channel's enablement. */
  readonly channel?: GatesPolicy;
  /** `gates` of the room, which is conversation `c`. */
  readonly room?: GatesPolicy;
  /** Where the message is said; default `c`. */
  readonly conversation?: string;
  readonly direction?: Direction;
  readonly text?: string;
  readonly flags?: string[];
  readonly media?: Message['media'];
  /** The instance that says it, when a plugin sends it from within a call. */
  readonly by?: string;
}

/** `asked` names the gates that were called, in order, each with the text it saw when that was not the text that came. Hashes are shown as the texts they are of. */
export async function judgeCase({ gates, channel = {}, room = {}, conversation = 'c', direction = 'inbound', text = 'hello', flags = [], media = [], by }: GateCase): Promise<unknown> {
  const asked: string[] = [];
  const texts = new Set([text]);
  const exits: string[] = [];
  const stages: Message['stages'] = [];
  const broker = new Broker({ log: silentLog, quotas: new MinuteQuotas(systemClock), operations: [] });
  const calls = new PluginCalls(broker, async (instance, { input }): Promise<CallResult> => {
    const { message } = input as { message: Message };
    asked.push(message.text === text ? instance : `${instance}: ${message.text}`);
    texts.add(message.text);
    const { says = { effect: 'pass' } } = gates.find((each) => each.instance === instance) ?? {};
    if (typeof says === 'string' && says.startsWith('fails:')) return { ok: false, code: says.slice('fails:'.length) as CallFailure, message: '', retry: false, cpuUs: 1, wallMs: 1 };
    return { ok: true, value: says, cpuUs: 1, wallMs: 1 };
  });
  const entries = gates.map((gate) => withIds<GateEntry>({ wallMs: 1000, available: !gate.quarantined, quarantined: false, onTimeout: 'refuse', relaxTo: 'skip', ...gate }));
  const door: ChannelEntry = { instance: instanceId('door'), wallMs: 1000, section: { abilities: [], ingress: [] }, policy: { gates: channel, rooms: { c: { gates: room } } }, can: () => false, reachesOut: false, secret: () => undefined };
  const directory = { gates: () => entries, observers: () => [], skills: () => [], channel: (instance: string) => (instance === 'door' ? door : undefined), isFrozen: () => false };
  const message: Message = { id: 'm', senderMessageId: 's', instance: 'door', conversation, sender: { id: 'someone' }, text, mentions: [], media, at: '2026-11-21T08:00:00.000Z', flags, stages };
  const subject = { message, direction, attemptKey: 'm', stages, scopes: [], ...(by !== undefined && { within: { scope: broker.open('outer', { attemptKey: 'outer' }), by } }) };
  const outcome = await askGates(subject, { calls, directory, onGateExit: (gate) => exits.push(gate) });
  if (outcome.effect === 'pass') texts.add(outcome.message.text);
  const textOf = (sha256: string | undefined) => [...texts].find((each) => hash('sha256', each, 'hex') === sha256) ?? `unknown ${sha256}`;
  return {
    asked,
    record: stages.map(({ instance, decision }) => `${instance} ${decision}`),
    ...(exits.length > 0 && { exits }),
    ...(outcome.effect === 'pass' ? passed(outcome.message, textOf) : outcome),
  };
}

function passed({ text, flags, originalSha256, provenance }: Message, textOf: (sha256: string | undefined) => string) {
  return {
    effect: 'pass',
    text,
    flags,
    ...(originalSha256 !== undefined && { original: textOf(originalSha256) }),
    ...(provenance && { provenance: provenance.map(({ before, after, ...mark }) => ({ ...mark, ...(after !== undefined && { before: textOf(before), after: textOf(after) }) })) }),
  };
}
