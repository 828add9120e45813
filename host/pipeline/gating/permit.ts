// What a skill's replies may become: messages, edits, reactions, or nothing, by what the channel can and its operator allows. Called by stages/respond.ts.
import type { Reply } from '../../../schemas/message.ts';
import { fits } from '../../outbound/chunk.ts';
import { maySend, textLimits } from '../../outbound/rules.ts';
import { readMessage } from '../../store/messages.ts';
import type { Store } from '../../store/store.ts';
import type { MessageRow } from '../../store/tables.ts';
import type { DraftReply, LaneContext } from '../context.ts';
import { PLUGIN_SENDER } from './frozen.ts';
import { repliesTo } from '../message-queries.ts';
import type { ChannelEntry, PluginDirectory } from '../plugin-directory.ts';
import { policyOf } from '../policy.ts';

export interface PermitParts {
  readonly directory: Pick<PluginDirectory, 'channel'>;
  readonly store: Store;
}

/** Whether replies may leave into this conversation at all; refused ones are counted in the context and leave a record. */
export function mayAnswer(count: number, context: LaneContext, { directory }: Pick<PermitParts, 'directory'>): boolean {
  const channel = directory.channel(context.instance);
  if (!channel || count === 0 || maySend(policyOf(channel.policy, context.row.conversation).outbound, context.row.room?.kind)) return true;
  context.stages.push({ stage: 'permit', decision: 'deny', reason: 'SEND_DENIED', durationMs: 0 });
  context.refused += count;
  context.refusal = 'SEND_DENIED';
  return false;
}

/** What cannot be said as it was meant leaves a record; a plain reply costs nothing here. */
export async function permitted(replies: readonly Reply[], context: LaneContext, { directory, store }: PermitParts): Promise<DraftReply[]> {
  const channel = directory.channel(context.instance);
  if (!channel) return replies.map(plain); // it may come back, and they wait for it
  if (!mayAnswer(replies.length, context, { directory })) return [];
  const drafts: DraftReply[] = [];
  for (const reply of replies) {
    if (reply.edits === undefined && reply.reacts === undefined) drafts.push(plain(reply));
    else if (reply.reacts !== undefined) drafts.push(...(await reaction(reply, reply.reacts, channel)));
    else if (reply.edits !== undefined) drafts.push(await edit(reply, reply.edits, channel));
  }
  return drafts;

  /** Without the ability, or about a message that is not there to react to, it is left out: a lone emoji says something else. */
  async function reaction(reply: Reply, to: string, { can }: ChannelEntry): Promise<readonly DraftReply[]> {
    const { edits: _edits, ...draft } = plain(reply);
    const target = can('react') ? await readMessage(store, to) : undefined;
    if (target && isHere(target, context) && target.direction === 'inbound') return [draft];
    context.stages.push({ stage: 'permit', decision: 'skipped', reason: can('react') ? 'nothing to react to' : 'the channel has no reactions', durationMs: 0 });
    return [];
  }

  /** Where it cannot be an edit, people still get to read it. */
  async function edit(reply: Reply, of: string, { can, section, policy }: ChannelEntry): Promise<DraftReply> {
    const { edits: _edits, ...message } = plain(reply);
    const target = can('edit') ? await ownMessage(of) : undefined;
    const limits = textLimits(section.limits, policyOf(policy, context.row.conversation).outbound.chunk);
    const isWhole = target && (!limits || (fits(target.text, limits) && fits(reply.text, limits)));
    return isWhole ? { ...message, edits: target.id } : message;
  }

  /** By its own id, which a skill knows of what it sent; or by that of the message it answered. */
  async function ownMessage(id: string): Promise<MessageRow | undefined> {
    const named = await readMessage(store, id);
    if (!named || !isHere(named, context)) return undefined;
    const candidates = named.direction === 'outbound' ? [named] : await repliesTo(store, named);
    const authors = [context.answeredBy, `${PLUGIN_SENDER}${context.answeredBy}`];
    return candidates.find(({ sender, outcome, edits, reacts }) => authors.includes(sender.id) && outcome === 'delivered' && edits === undefined && reacts === undefined);
  }
}

const plain = (reply: Reply): DraftReply => ({ ...reply, flags: [] });

const isHere = (target: MessageRow, { instance, row }: LaneContext) => target.instance === instance && target.conversation === row.conversation;
