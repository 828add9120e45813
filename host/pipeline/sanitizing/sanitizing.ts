// Makes a text safe to leave in the markup of its channel. Pure and deterministic, in time linear in the text; what it returns, it returns unchanged when asked again. Called by the sanitize stage, and for what gates, plugins and operators write.
import { BOUNDS } from '../../../schemas/bounds.ts';
import type { Dialect } from '../../../schemas/dialects.ts';
import { visible } from './characters.ts';
import { discordMarkdown } from './discord.ts';
import { escapeHtml, html } from './html.ts';
import { hasAddress } from './links.ts';
import { escapeMarkdown, markdown } from './markdown.ts';
import type { Pass, TextChange, TextRules } from './pass.ts';
import { escapeSlack, slackMarkup } from './slack.ts';
import { escapeTelegram, telegramMarkdown } from './telegram.ts';

export type Sanitized = { readonly ok: true; readonly text: string; readonly changes: readonly TextChange[] } | { readonly ok: false; readonly refused: 'link' };

/** What a channel without markup and an operator without wishes come to. */
export const PLAIN_RULES: TextRules = { links: 'keep', mentions: 'escape' };

interface Markup {
  readonly mark: (text: string, pass: Pass) => string;
  /** All of a text as text, in a form that `mark` leaves alone. */
  readonly escape: (text: string) => string;
}

const unmarked = (text: string) => text;

/** WhatsApp has signs for bold and code and none for links or escapes: its texts are harmless as they are. */
const MARKUPS: Readonly<Record<Exclude<Dialect, 'plain' | 'whatsapp'>, Markup>> = {
  html: { mark: html, escape: escapeHtml },
  markdown: { mark: markdown, escape: escapeMarkdown },
  'telegram-markdown-v2': { mark: telegramMarkdown, escape: escapeTelegram },
  'slack-mrkdwn': { mark: slackMarkup, escape: escapeSlack },
  'discord-markdown': { mark: discordMarkdown, escape: unmarked },
};

export function sanitizeFor(dialect: Dialect, raw: string, rules: TextRules): Sanitized {
  const clean = visible(raw);
  if (dialect === 'plain' || dialect === 'whatsapp') {
    if (rules.links === 'refuse' && hasAddress(clean)) return { ok: false, refused: 'link' };
    const text = cutToBytes(clean);
    return { ok: true, text, changes: text === clean ? NOTHING : CUT };
  }
  const pass: Pass = { rules, changes: new Set(), hasLink: false };
  const text = bounded(clean, MARKUPS[dialect], pass);
  if (rules.links === 'refuse' && (pass.hasLink || hasAddress(text))) return { ok: false, refused: 'link' };
  return { ok: true, text, changes: [...pass.changes] };
}

const NOTHING: readonly TextChange[] = [];
const CUT: readonly TextChange[] = ['cut'];

/** So often a text may still change when it is gone over again. */
const MOST_PASSES = 6;

/**
 * What a text comes to when going over it changes nothing any more: what one rule takes out may leave something for another. A text that does not come to rest
 * is taken for text altogether.
 */
function settled(clean: string, once: string, { mark, escape }: Markup, pass: Pass): string {
  let text = once;
  for (let count = 0; count < MOST_PASSES; count += 1) {
    const marked = visible(mark(text, pass));
    if (marked === text) return text;
    text = marked;
  }
  pass.changes.add('markup');
  return mark(visible(escape(clean)), pass);
}

/** Escapes make a text longer. One that became too long is cut before they are added, never in the middle of one. */
function bounded(clean: string, markup: Markup, pass: Pass): string {
  let kept = cutToBytes(clean);
  if (kept !== clean) pass.changes.add('cut');
  for (;;) {
    const once = visible(markup.mark(kept, pass));
    const text = isTooLong(once) ? once : settled(kept, once, markup, pass);
    if (!isTooLong(text)) return text;
    const size = Buffer.byteLength(text);
    pass.changes.add('cut');
    kept = cutToBytes(kept, Math.floor((Buffer.byteLength(kept) * BOUNDS.messageTextBytes * 0.98) / size));
  }
}

const isTooLong = (text: string) => text.length * 3 > BOUNDS.messageTextBytes && Buffer.byteLength(text) > BOUNDS.messageTextBytes;

/** No half character is left. */
function cutToBytes(text: string, most: number = BOUNDS.messageTextBytes): string {
  if (text.length * 3 <= most || Buffer.byteLength(text) <= most) return text;
  return Buffer.from(text).subarray(0, most).toString('utf8').replace(/\ufffd+$/, '');
}
