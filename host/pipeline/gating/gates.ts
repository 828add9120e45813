// Asks gates in order and folds their verdicts into the message. Gates fail closed: no answer, a late answer or a wrong answer lets nothing pass, unless the operator said otherwise of this gate or this room.
import type { Direction, Message, StageRecord } from '../../../schemas/message.ts';
import { GATE_MODES, type GateMode } from '../../../schemas/policy.ts';
import type { CallScope } from '../../broker/call-scope.ts';
import { hasListeners, publish } from '../../events.ts';
import { counted, verdictOf, type GateCode, type Verdict } from './gate-verdict.ts';
import type { PluginCalls } from '../plugin-calls.ts';
import type { GateEntry, PluginDirectory } from '../plugin-directory.ts';
import { policyOf } from '../policy.ts';
import { marked } from './provenance.ts';

export interface GateSubject {
  readonly message: Message;
  readonly direction: Direction;
  readonly attemptKey: string;
  readonly stages: StageRecord[];
  /** What gates wrote gathers here once everything passed; of a message that goes no further nothing is kept. */
  readonly scopes: CallScope[];
  /** The call that waits for the verdict on what it sends, and the instance that is called. Nobody is asked about its own words. */
  readonly within?: { readonly scope: CallScope; readonly by: string };
}

/** What all gates together decided. */
export type GateOutcome =
  /** `message` as it may go on: text, flags and provenance are what the gates made of them. */
  | { readonly effect: 'pass'; readonly message: Message }
  | { readonly effect: 'deny'; readonly gate: string; readonly reason: string }
  | { readonly effect: 'hold'; readonly gate: string }
  | { readonly effect: 'unavailable'; readonly gate: string; readonly code: GateCode };

export interface GateParts {
  readonly calls: PluginCalls;
  readonly directory: PluginDirectory;
  /** A gate with `onQuarantine: "exit"` met traffic while quarantined. */
  readonly onGateExit: (instance: string) => void;
}

/** Whether anybody judges or watches this direction; when nobody does, a message costs nothing here. */
export function isModerated(direction: Direction, directory: PluginDirectory): boolean {
  return directory.gates(direction).length > 0 || directory.observers(direction).length > 0;
}

/** Stops at the first refusal; what passed a gate is what the next one sees. */
export async function askGates(subject: GateSubject, parts: GateParts): Promise<GateOutcome> {
  const scopes: CallScope[] = [];
  const outcome = await foldVerdicts(subject, scopes, parts);
  if (outcome.effect === 'pass') subject.scopes.push(...scopes);
  else for (const scope of scopes) scope.release();
  return outcome;
}

async function foldVerdicts(subject: GateSubject, scopes: CallScope[], parts: GateParts): Promise<GateOutcome> {
  let { message } = subject;
  const modes = modesIn(message, parts.directory);
  for (const gate of parts.directory.gates(subject.direction)) {
    if (gate.instance === subject.within?.by) continue;
    const mode = stronger(modes.get(gate.instance) ?? 'enforce', gate.relaxTo);
    const verdict: Verdict = mode === 'skip' ? { effect: 'skip' } : counted(await verdictOf(gate, message, subject, scopes, parts), mode);
    record(verdict, gate, subject);
    switch (verdict.effect) {
      case 'pass':
      case 'skip':
        break;
      case 'deny':
        return { effect: 'deny', gate: gate.instance, reason: verdict.reason };
      case 'hold':
        return { effect: 'hold', gate: gate.instance };
      case 'unavailable':
        return { effect: 'unavailable', gate: gate.instance, code: verdict.code };
      default:
        message = marked(message, gate.instance, verdict);
    }
  }
  return { effect: 'pass', message };
}

const NO_MODES: ReadonlyMap<string, GateMode> = new Map();

/** By where the message is said: a reply and a message that a plugin sends go by the room they go to. Nothing is relaxed where the channel is gone. */
function modesIn({ instance, conversation }: Message, directory: PluginDirectory): ReadonlyMap<string, GateMode> {
  const channel = directory.channel(instance);
  return channel ? policyOf(channel.policy, conversation).gates : NO_MODES;
}

function stronger(one: GateMode, other: GateMode): GateMode {
  return GATE_MODES.indexOf(one) < GATE_MODES.indexOf(other) ? one : other;
}

function record(verdict: Verdict, { instance }: GateEntry, { direction, stages }: GateSubject): void {
  const { effect, failure, reason = failure, cost, within = [] } = verdict;
  stages.push({ stage: 'gate', decision: effect, ...(reason === undefined ? {} : { reason }), instance, ...(cost ?? { durationMs: 0 }) }, ...within);
  if (hasListeners('gate.verdict')) publish('gate.verdict', { instance, direction, effect, ...('code' in verdict && { code: verdict.code }), ...(failure !== undefined && { failure }) });
}
