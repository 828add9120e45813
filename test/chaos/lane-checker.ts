// The independent checker of shaped lanes: from what senders were told and what the API lists, every broken promise about collected and dropped messages. Imports nothing of the host.

/** A message that was acknowledged, in the order of acknowledgements of its conversation. */
export interface Said {
  readonly conversation: string;
  readonly id: string;
  readonly text: string;
}

/** A message as the API lists it. */
export interface Listed {
  readonly id: string;
  readonly conversation: string;
  readonly direction: string;
  readonly outcome: string;
  readonly text?: string | undefined;
  readonly senderMessageId?: string | undefined;
  readonly inReplyTo?: string | undefined;
  readonly code?: string | undefined;
  readonly ranWith?: string | undefined;
}

/** The skill answers with what it was given. */
interface Given {
  readonly id: string;
  readonly text: string;
  readonly collected?: number;
  readonly dropped?: number;
}

/** Empty when all is well. */
export function judgeLanes(said: readonly Said[], listed: readonly Listed[]): string[] {
  const faults: string[] = [];
  const inbound = listed.filter(({ direction }) => direction === 'inbound');
  const bySender = Map.groupBy(inbound, ({ conversation, senderMessageId }) => `${conversation}/${senderMessageId}`);
  const byId = new Map(inbound.map((each) => [each.id, each]));
  const runs = Map.groupBy(inbound.filter(({ ranWith }) => ranWith !== undefined), ({ ranWith }) => String(ranWith));
  const replies = Map.groupBy(listed.filter(({ direction }) => direction === 'outbound'), ({ conversation, inReplyTo }) => `${conversation}/${inReplyTo}`);

  for (const { conversation, id, text } of said) {
    const name = `${conversation}/${id}`;
    const [stored, ...more] = bySender.get(name) ?? [];
    if (!stored || more.length > 0) {
      faults.push(`${name} is stored ${more.length + (stored ? 1 : 0)} times`);
      continue;
    }
    if (stored.text !== text) faults.push(`${name} is not stored as it was said`);
    const answers = replies.get(name) ?? [];
    const carrier = stored.ranWith === undefined ? undefined : byId.get(stored.ranWith);
    if (stored.ranWith !== undefined && (carrier?.outcome !== 'answered' || carrier.ranWith !== undefined || carrier.conversation !== conversation)) faults.push(`${name} names a run that answered nothing here`);
    if (carrier && carrier.id < stored.id) faults.push(`${name} ran with an older message`);
    const isEnded = (stored.outcome === 'answered' && stored.code === undefined) || (stored.outcome === 'dropped' && (stored.code === 'LANE_OVERFLOW' || (stored.code === 'SUPERSEDED' && carrier)));
    if (!isEnded) faults.push(`${name} ended as ${stored.outcome} ${stored.code}`);
    const wanted = stored.outcome === 'answered' && stored.ranWith === undefined ? 1 : 0;
    if (answers.length !== wanted) faults.push(`${name} has ${answers.length} answers, not ${wanted}`);
    const [answer] = answers;
    if (answer?.text !== undefined) faults.push(...judgeRun(name, stored, JSON.parse(answer.text) as Given, runs.get(stored.id) ?? []));
  }
  if (bySender.size !== new Set(said.map(({ conversation, id }) => `${conversation}/${id}`)).size) faults.push('something is stored that nobody was told of');
  return faults;
}

/** What the skill was given, against the messages that name its run. */
function judgeRun(name: string, carrier: Listed, { text, collected = 1, dropped = 0 }: Given, others: readonly Listed[]): string[] {
  const faults: string[] = [];
  const together = others.filter(({ outcome }) => outcome === 'answered').toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const overtaken = others.length - together.length;
  if (collected !== together.length + 1) faults.push(`${name} ran for ${together.length + 1}, and was told of ${collected}`);
  // Beside those it overtook, it is told of what was dropped while it waited; the last line says how many.
  const told = Number(/\[(\d+) messages? before this one/.exec(text)?.[1] ?? 0);
  if (dropped !== overtaken + told) faults.push(`${name} overtook ${overtaken}, was told of ${told}, and counts ${dropped}`);
  const words = [...together, carrier].map((each) => each.text ?? '').join('\n');
  if (text !== words && !(told > 0 && text.startsWith(`${words}\n[`))) faults.push(`${name} was given '${text}', not '${words}'`);
  return faults;
}
