// What one gate says of one message, and what that comes to under the mode its room has it in. gates.ts folds it into the message.
import { Decision as DecisionSchema, type Decision, type GateMark, type Message, type StageRecord } from '../../../schemas/message.ts';
import type { GateMode } from '../../../schemas/policy.ts';
import type { CallScope } from '../../broker/call-scope.ts';
import type { CallFailure } from '../../sandbox/sandbox.ts';
import { compileSchema } from '../../schema.ts';
import { costOf, toolRecords, type Cost } from '../cost-record.ts';
import type { GateParts, GateSubject } from './gates.ts';
import { turnOf } from '../lanes/turns.ts';
import type { GateEntry } from '../plugin-directory.ts';
import { leaving } from '../delivery/leaving.ts';
import { sanitizeText } from '../stages/sanitize.ts';

const decisionOf = compileSchema<Decision>(DecisionSchema);

/** Why a gate gave no verdict. */
export type GateCode = 'GATE_UNAVAILABLE' | 'GATE_TIMEOUT' | 'GATE_FAILED';

/** Goes on, with something to remember. */
export type Remark =
  | { readonly effect: 'flag'; readonly labels: readonly string[] }
  | { readonly effect: 'modify'; readonly text: string; readonly labels?: readonly string[] }
  | { readonly effect: Exclude<GateMark['effect'], 'flag' | 'modify'>; readonly labels?: readonly string[] };

interface Asked {
  /** The gate's words. They may quote the message, so they are for its record and its sender, never for a log. */
  readonly reason?: string;
  /** Why the call gave no decision: its code, of a wrong answer the place, too. */
  readonly failure?: string;
  readonly cost?: Cost;
  /** Of the tools it called. */
  readonly within?: readonly StageRecord[];
}

export type Verdict = Asked & (
  | { readonly effect: 'pass' | 'skip' | 'hold' }
  | { readonly effect: 'deny'; readonly reason: string }
  | { readonly effect: 'unavailable'; readonly code: GateCode }
  | Remark
);

/** Asks, and waits at most as long as the gate's limits say. What it wrote goes to `scopes`. */
export async function verdictOf(gate: GateEntry, message: Message, subject: GateSubject, scopes: CallScope[], { calls, onGateExit, directory }: GateParts): Promise<Verdict> {
  const { direction, attemptKey, within } = subject;
  if (gate.quarantined) {
    if (gate.onQuarantine === 'bypass') return { effect: 'bypassed' };
    if (gate.onQuarantine === 'hold' && direction === 'inbound') return { effect: 'hold' };
    if (gate.onQuarantine === 'exit') onGateExit(gate.instance);
  }
  if (!gate.available) return { effect: 'unavailable', code: 'GATE_UNAVAILABLE' };

  const called = await calls.call(gate.instance, 'evaluate', { message, direction }, { attemptKey, waitMs: gate.wallMs, hops: message.hops, turn: turnOf(message), ...(within && { parent: within.scope }) });
  const { result, scope } = called;
  const tools = toolRecords(called);
  const spent = { cost: costOf(called), ...(tools.length > 0 && { within: tools }) };
  if (!result.ok) return { ...failed(result.code, gate), failure: result.code, ...spent };
  if (!decisionOf.is(result.value)) {
    scope.release();
    return { effect: 'unavailable', code: 'GATE_FAILED', failure: `RESULT_INVALID ${decisionOf.explain(result.value)?.path ?? ''}`.trim().slice(0, 200), ...spent };
  }
  if (scope.hasWrites) scopes.push(scope);
  const tidy = (text: string) => (direction === 'inbound' ? { ok: true as const, text: sanitizeText(text) } : leaving(directory.channel(message.instance), message.conversation, text));
  return { ...decided(result.value, message, tidy), ...spent };
}

/** A gate's text goes through what every text goes through; nothing left of it is a refusal. */
function decided(decision: Decision, { media }: Message, tidy: (text: string) => { readonly ok: true; readonly text: string } | { readonly ok: false; readonly reason: string }): Verdict {
  if (decision.effect !== 'modify') return decision;
  const tidied = tidy(decision.text);
  if (!tidied.ok) return { effect: 'deny', reason: tidied.reason };
  const { text } = tidied;
  if (text.trim() === '' && media.length === 0) return { effect: 'deny', reason: decision.reason };
  return { ...decision, text };
}

/** Only an answer that did not come in time may be done without. Of a gate that is away or broken nothing can be told: not even that it would have been asked. */
function failed(failure: CallFailure, { onTimeout }: GateEntry): Verdict {
  const code = gateCodeOf(failure);
  return code === 'GATE_TIMEOUT' && onTimeout === 'pass-with-flag' ? { effect: 'timeout' } : { effect: 'unavailable', code };
}

/** What a verdict comes to: as it is, or, where the gate only flags, a remark about what it would have done. */
export function counted(verdict: Verdict, mode: Exclude<GateMode, 'skip'>): Verdict {
  if (mode === 'enforce') return verdict;
  const { reason, failure, cost, within } = verdict;
  const base: Asked = { ...(reason !== undefined && { reason }), ...(failure !== undefined && { failure }), ...(cost && { cost }), ...(within && { within }) };
  switch (verdict.effect) {
    case 'deny':
      return { ...base, effect: 'would-deny' };
    case 'modify':
      return { ...base, effect: 'would-modify', ...(verdict.labels && { labels: verdict.labels }) };
    case 'hold':
      return { ...base, effect: 'unjudged' };
    case 'unavailable':
      return { ...base, effect: verdict.code === 'GATE_TIMEOUT' ? 'timeout' : 'unjudged' };
    default:
      return verdict;
  }
}

function gateCodeOf(failure: CallFailure): GateCode {
  switch (failure) {
    case 'CALL_TIMEOUT':
    case 'CALL_CPU':
      return 'GATE_TIMEOUT';
    case 'INSTANCE_UNAVAILABLE':
    case 'INSTANCE_BUSY':
    case 'BUDGET_EXCEEDED':
    case 'CALL_CANCELLED':
    case 'SANDBOX_DIED':
    case 'SANDBOX_FRAME':
      return 'GATE_UNAVAILABLE';
    case 'CALL_FAILED':
    case 'RESULT_TOO_LARGE':
    case 'PLUGIN_HANDLER_MISSING':
      return 'GATE_FAILED';
    default:
      return failure satisfies never;
  }
}

