// Asks a channel whether it doubts a request that the host found to be genuine. It may only be stricter: what the host refused never comes here, and a pass adds nothing. Called by ingress.ts.
import { randomUUID } from 'node:crypto';
import type { ChannelRequest, StageRecord } from '../../../schemas/message.ts';
import type { ErrorCode, Fields } from '../../errors.ts';
import { publish } from '../../events.ts';
import { askChannel } from '../channel-calls.ts';
import type { PluginCalls } from '../plugin-calls.ts';
import type { ChannelEntry } from '../plugin-directory.ts';
import { policyOf } from '../policy.ts';

/** `unanswered`: its policy lets requests in that it could not look at; nobody vouches for their senders then. */
export type Look =
  | { readonly outcome: 'none' }
  | { readonly outcome: 'passed' | 'unanswered'; readonly record: StageRecord }
  | { readonly outcome: 'refused'; readonly code: ErrorCode; readonly fields: Fields };

const NOT_ASKED: Look = { outcome: 'none' };

/** Bounded by `cpuMsPerCall` and half a second. What the handler writes and sends is not kept: it looks, and no more. */
export async function secondLook(calls: PluginCalls, channel: ChannelEntry, request: ChannelRequest): Promise<Look> {
  if (!channel.can('verify')) return NOT_ASKED;
  const { instance } = channel;
  const answer = await askChannel(calls, channel, 'verify', request, { attemptKey: randomUUID(), waitMs: channel.wallMs });
  const refused = (cause: string, reason: string) => publish('ingress.refused', { instance, route: request.kind === 'http' ? `${request.method} ${request.path}` : request.kind, scheme: 'plugin', cause, reason });
  if (!answer.ok) {
    refused('doubt-unanswered', answer.code);
    if (policyOf(channel.policy, '').admit.onVerifyFailure === 'admit') return { outcome: 'unanswered', record: { stage: 'verify', decision: 'unavailable', reason: answer.code, instance, durationMs: 0 } };
    if (answer.away || answer.failure === 'retry') return { outcome: 'refused', code: 'INSTANCE_UNAVAILABLE', fields: { instance, state: 'not able to verify' } };
    return { outcome: 'refused', code: 'CALL_FAILED', fields: { handler: 'verify', instance, problem: 'the plugin failed' } };
  }
  if (answer.by === 'host') return NOT_ASKED;
  answer.scope.release();
  const { wallMs, cpuUs, value } = answer;
  if (value.ok) return { outcome: 'passed', record: { stage: 'verify', decision: 'pass', instance, durationMs: wallMs, cpuUs } };
  refused('doubted', value.reason);
  return { outcome: 'refused', code: 'SENDER_DENIED', fields: { instance, problem: 'it doubts that the request is genuine' } };
}
