// The text of a message as it may leave through its channel: made safe by the host in the channel's markup, then tidied by the channel's own `sanitize`, whose result goes through the host once more. For replies, for what plugins and operators send, and for what gates make of them.
import type { StageRecord } from '../../../schemas/message.ts';
import { publish } from '../../events.ts';
import { askChannel, type AbilityFailure } from '../channel-calls.ts';
import type { PluginCalls } from '../plugin-calls.ts';
import type { ChannelEntry } from '../plugin-directory.ts';
import { policyOf } from '../policy.ts';
import { hashOf } from '../gating/provenance.ts';
import type { TextRules } from '../sanitizing/pass.ts';
import { PLAIN_RULES, sanitizeFor } from '../sanitizing/sanitizing.ts';
import { isUnmarked } from '../sanitizing/whole-pieces.ts';

export const LINK_REFUSED = 'links may not leave here';

export type Leaving =
  /** `originalSha256` is of what it was, when that is something else; `changes` says what was done, in words of a fixed set. */
  | { readonly ok: true; readonly text: string; readonly originalSha256?: string; readonly changes: readonly string[] }
  | { readonly ok: false; readonly reason: string };

/** The host's own judgement, at once. */
export function leaving(channel: ChannelEntry | undefined, conversation: string, raw: string): Leaving {
  const dialect = channel?.section.text ?? 'plain';
  const sanitized = sanitizeFor(dialect, raw, channel ? rulesFor(channel, conversation) : PLAIN_RULES);
  if (!sanitized.ok) {
    publish('text.sanitized', { instance: channel?.instance ?? '', dialect, changes: ['link-refused'] });
    return { ok: false, reason: LINK_REFUSED };
  }
  const { text, changes } = sanitized;
  if (changes.length > 0 && channel) publish('text.sanitized', { instance: channel.instance, dialect, changes });
  return text === raw ? { ok: true, text, changes } : { ok: true, text, originalSha256: hashOf(raw), changes };
}

/** Most operators wish nothing; their channels share one object. */
function rulesFor(channel: ChannelEntry, conversation: string): TextRules {
  const { links, mentions } = policyOf(channel.policy, conversation).outbound;
  return links === undefined && mentions === undefined ? PLAIN_RULES : { links: links ?? PLAIN_RULES.links, mentions: mentions ?? PLAIN_RULES.mentions };
}

/** Whether parts of a text may be shown before it is whole: not where only the whole says what a sign means, whether there is a link, or what the channel makes of it. */
export function mayShowParts(channel: ChannelEntry, conversation: string): boolean {
  return isUnmarked(channel.section.text ?? 'plain') && !channel.can('sanitize') && policyOf(channel.policy, conversation).outbound.links !== 'refuse';
}

export type Polished = (Leaving & { readonly record?: StageRecord }) | { readonly ok: false; readonly failure: AbilityFailure };

/** With the channel's own handler, where it has one. Without an answer the operator's policy decides between waiting for one and the host's text. */
export async function polished(calls: PluginCalls, channel: ChannelEntry | undefined, conversation: string, raw: string, attemptKey: string): Promise<Polished> {
  const ours = leaving(channel, conversation, raw);
  if (!ours.ok || !channel?.can('sanitize') || ours.text === '') return ours;
  const { instance } = channel;
  const answer = await askChannel(calls, channel, 'sanitize', { text: ours.text }, { attemptKey, waitMs: channel.wallMs });
  if (!answer.ok) {
    if (policyOf(channel.policy, conversation).outbound.onSanitizeFailure !== 'pass') return { ok: false, failure: answer };
    return { ...ours, record: { stage: 'sanitize', decision: 'unavailable', reason: answer.code, instance, durationMs: 0 } };
  }
  if (answer.by === 'host') return ours;
  // It looks at a text and writes another: nothing else of it is kept.
  answer.scope.release();
  const theirs = leaving(channel, conversation, answer.value.text);
  if (!theirs.ok) return theirs;
  const { text } = theirs;
  const record: StageRecord = { stage: 'sanitize', decision: text === ours.text ? 'pass' : 'modify', instance, durationMs: answer.wallMs, cpuUs: answer.cpuUs };
  return { ok: true, text, ...(text === raw ? {} : { originalSha256: hashOf(raw) }), changes: [...new Set([...ours.changes, ...theirs.changes])], record };
}
