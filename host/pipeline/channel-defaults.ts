// What holds for a channel that lacks a handler: a fixed answer of the host for each, made from the input alone. channel-calls.ts gives it in the channel's place.
import type { OptionalAbility } from '../../schemas/abilities.ts';
import type { HandlerInput, HandlerOutput } from '../../schemas/channel.ts';

const nothingToDo = () => ({ actions: [] });

/** `schemas/channel.ts` says each of these in a sentence. */
export const DEFAULTS: { readonly [A in OptionalAbility]: (input: HandlerInput<A>) => HandlerOutput<A> } = {
  start: () => ({ ok: true }),
  stop: () => null,
  health: () => ({ ok: true }),
  verify: () => ({ ok: true }),
  sanitize: ({ text }) => ({ text }),
  media: ({ media: { url } }) => ({ request: { url } }),
  edit: nothingToDo,
  react: nothingToDo,
  typing: nothingToDo,
  stream: nothingToDo,
  threads: ({ thread }) => ({ thread: thread ?? null }),
  mentions: () => ({ mentioned: false }),
  commands: nothingToDo,
  directory: () => ({ items: [] }),
  lookup: () => ({ found: false }),
};
