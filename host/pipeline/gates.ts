// Asks gates in order and folds their decisions. Gates fail closed: no answer, a late answer or a wrong answer lets nothing pass.
import { hash } from 'node:crypto';
import type { Decision, Direction, Message, StageRecord } from '../../schemas/message.ts';
import { Decision as DecisionSchema } from '../../schemas/message.ts';
import type { CallScope } from '../broker/call-scope.ts';
import type { ErrorCode, Fields } from '../errors.ts';
import { compileSchema } from '../schema.ts';
import type { CallFailure, CallResult } from '../sandbox/sandbox.ts';
import type { PluginCalls } from './plugin-calls.ts';
import type { GateEntry, PluginDirectory } from './plugin-directory.ts';
import type { PluginWrites } from './plugin-writes.ts';
import { sanitizeText } from './stages/sanitize.ts';

const decisionOf = compileSchema<Decision>(DecisionSchema);

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
  | { readonly effect: 'pass'; readonly text: string; readonly flags: readonly string[]; readonly originalSha256?: string }
  | { readonly effect: 'deny'; readonly gate: string; readonly reason: string }
  | { readonly effect: 'hold'; readonly gate: string }
  | { readonly effect: 'unavailable'; readonly code: ErrorCode; readonly fields: Fields };

export interface GateParts {
  readonly calls: PluginCalls;
  readonly directory: PluginDirectory;
  /** A gate with `onQuarantine: "exit"` met traffic while quarantined. */
  readonly onGateExit: (instance: string) => void;
  readonly writes: PluginWrites;
}

/** Stops at the first denial; flags gather, a modified text is what the next gate sees. */
export async function askGates(subject: GateSubject, parts: GateParts): Promise<GateOutcome> {
  const scopes: CallScope[] = [];
  const outcome = await foldDecisions(subject, scopes, parts);
  if (outcome.effect === 'pass') subject.scopes.push(...scopes);
  else for (const scope of scopes) scope.release();
  return outcome;
}

async function foldDecisions(subject: GateSubject, scopes: CallScope[], { calls, directory, onGateExit }: GateParts): Promise<GateOutcome> {
  const { within } = subject;
  const gates = directory.gates(subject.direction);
  const flags = new Set(subject.message.flags);
  let message = subject.message;
  let originalSha256: string | undefined;

  for (const gate of gates) {
    if (gate.instance === within?.by) continue;
    if (gate.quarantined && gate.onQuarantine === 'bypass') {
      flags.add(`bypassed:${gate.instance}`);
      message = { ...message, flags: [...flags] };
      subject.stages.push({ stage: 'gate', decision: 'bypass', instance: gate.instance, durationMs: 0 });
      continue;
    }
    if (gate.quarantined && gate.onQuarantine === 'hold' && subject.direction === 'inbound') return { effect: 'hold', gate: gate.instance };
    if (gate.quarantined && gate.onQuarantine === 'exit') onGateExit(gate.instance);
    if (!gate.available) return unavailable('GATE_UNAVAILABLE', gate);

    const { result, scope } = await calls.call(gate.instance, 'evaluate', { message, direction: subject.direction }, { attemptKey: subject.attemptKey, waitMs: gate.wallMs, hops: message.hops, ...(within && { parent: within.scope }) });
    const decision = result.ok && decisionOf.is(result.value) ? result.value : undefined;
    subject.stages.push(gateRecord(gate, decision, result));
    if (!decision) {
      scope.release();
      return unavailable(failureCode(result), gate);
    }
    if (decision.effect === 'deny') {
      scope.release();
      return { effect: 'deny', gate: gate.instance, reason: decision.reason };
    }
    if (scope.hasWrites) scopes.push(scope);
    if (decision.effect === 'flag') for (const label of decision.labels) flags.add(label);
    if (decision.effect === 'modify') {
      originalSha256 ??= hashOf(subject.message.text);
      for (const label of decision.labels ?? []) flags.add(label);
      // A gate's text goes through what every text goes through; nothing left of it is a refusal.
      const text = sanitizeText(decision.text);
      if (text.trim() === '' && message.media.length === 0) return { effect: 'deny', gate: gate.instance, reason: decision.reason };
      message = { ...message, text };
    }
    if (flags.size !== message.flags.length) message = { ...message, flags: [...flags] };
  }
  return { effect: 'pass', text: message.text, flags: message.flags, ...(originalSha256 === undefined ? {} : { originalSha256 }) };
}

/** Observers see what passed. They are told and not waited for; whatever becomes of the call, the message goes on. The message is made only if somebody looks. */
export function tellObservers(direction: Direction, attemptKey: string, messageOf: () => Message, { calls, directory, writes }: GateParts): void {
  const observers = directory.observers(direction);
  if (observers.length === 0) return;
  const message = messageOf();
  for (const observer of observers) {
    if (!observer.available) continue;
    // What it writes is its own, in a commit of its own; sending is not for it, because the message may yet come to nothing and be judged again.
    void calls
      .call(observer.instance, 'evaluate', { message, direction }, { attemptKey, waitMs: 0, hops: message.hops, maySend: false })
      .then(({ result, scope }) => (result.ok ? writes.commit(scope) : undefined))
      .catch(() => undefined); // what became of it concerns nobody but the observer, whose supervisor counts it
  }
}

function gateRecord(gate: GateEntry, decision: Decision | undefined, result: CallResult): StageRecord {
  const base = { stage: 'gate', instance: gate.instance, durationMs: result.wallMs, cpuUs: result.cpuUs };
  if (!decision) return { ...base, decision: 'unavailable', reason: result.ok ? 'RESULT_INVALID' : result.code };
  return 'reason' in decision ? { ...base, decision: decision.effect, reason: decision.reason } : { ...base, decision: decision.effect };
}

function unavailable(code: 'GATE_UNAVAILABLE' | 'GATE_TIMEOUT' | 'GATE_FAILED', gate: GateEntry): GateOutcome {
  return { effect: 'unavailable', code, fields: { instance: gate.instance } };
}

function failureCode(result: CallResult): 'GATE_UNAVAILABLE' | 'GATE_TIMEOUT' | 'GATE_FAILED' {
  if (result.ok) return 'GATE_FAILED';
  const code: CallFailure = result.code;
  switch (code) {
    case 'CALL_TIMEOUT':
    case 'CALL_CPU':
      return 'GATE_TIMEOUT';
    case 'INSTANCE_UNAVAILABLE':
    case 'INSTANCE_BUSY':
    case 'CALL_CANCELLED':
    case 'SANDBOX_DIED':
    case 'SANDBOX_FRAME':
      return 'GATE_UNAVAILABLE';
    case 'CALL_FAILED':
    case 'RESULT_TOO_LARGE':
    case 'PLUGIN_HANDLER_MISSING':
      return 'GATE_FAILED';
    default:
      return code satisfies never;
  }
}

const hashOf = (text: string) => hash('sha256', text, 'hex');
