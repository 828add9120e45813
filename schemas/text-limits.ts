// How much text a channel takes in one message. A manifest declares what the remote takes, an enablement may say less.
import { Type, type Static } from 'typebox';
import { closed, whole } from './closed.ts';

/**
 * Every limit that is named holds; absent ones do not bind. `characters` are UTF-16 code units, which no service counts more strictly; `bytes` are those of UTF-8.
 * What is longer leaves in pieces (`host/outbound/chunk.ts`), so the least allowed here still has room for a few words between the marks of a code block.
 */
export const TextLimits = closed({
  characters: Type.Optional(whole(64, 65_536)),
  bytes: Type.Optional(whole(64, 65_536)),
  lines: Type.Optional(whole(4, 10_000)),
});
export type TextLimits = Static<typeof TextLimits>;
