// `ctx.reply.delta(text)`: what comes next of the reply that is being written. Shown if the channel can and nobody has to judge it first; never stored, never the reply. Needs no grant: a skill may answer anyway.
import { closed, text } from '../../schemas/closed.ts';
import { BOUNDS } from '../../schemas/bounds.ts';
import { compileSchema } from '../schema.ts';
import { operation } from './capability.ts';

interface Request {
  text: string;
}

const request = compileSchema<Request>(closed({ text: text(BOUNDS.streamWaitingBytes) }));

/** Answers whether anybody will see it: false outside of `respond`, and whenever it may not be shown. */
export const replyDelta = operation<Request, never>({
  op: 'reply.delta',
  capability: null,
  request,
  authorize: () => undefined,
  perform: async ({ text }, _caller, scope) => scope.stream?.(text) ?? false,
});
