// How the text of a channel is marked up, as its manifest names it (`channel.text`), and what an operator may narrow. The host makes text safe in each of them.
import { Type, type Static } from 'typebox';
import { oneOf } from './closed.ts';

export const DIALECTS = ['plain', 'html', 'markdown', 'telegram-markdown-v2', 'slack-mrkdwn', 'discord-markdown', 'whatsapp'] as const;
export const Dialect = oneOf(...DIALECTS);
export type Dialect = Static<typeof Dialect>;

/** `text`: a link becomes its words and its address, so that nothing hides. `refuse`: a reply with a link or an address in it does not leave. */
export const LinkRule = Type.Unsafe<'keep' | 'text' | 'refuse'>(Type.String({ enum: ['keep', 'text', 'refuse'], default: 'keep' }));
export type LinkRule = Static<typeof LinkRule>;

/** Of mentions that call everybody: `@everyone`, `@here`, `<!channel>`, roles and groups. */
export const MentionRule = Type.Unsafe<'keep' | 'escape'>(Type.String({ enum: ['keep', 'escape'], default: 'escape' }));
export type MentionRule = Static<typeof MentionRule>;
