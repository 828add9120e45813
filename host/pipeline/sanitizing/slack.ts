// Dialect `slack-mrkdwn` (https://docs.slack.dev/messaging/formatting-message-text): what stands in angle brackets is a link, a mention or a command to Slack; the rest is text with three escapes. Called by sanitizing.ts.
import { judgeLink, quietMention, type Pass } from './pass.ts';

const TOKEN = /<([^<>\n]{1,4096})>|&(?:amp|lt|gt);|[<>&]|@(?=(?:channel|here|everyone)\b)/gi;
const PERSON_OR_ROOM = /^([@#][UWCGD][A-Z0-9]{1,30})(?:\|.*)?$/;
const EVERYBODY = /^!(channel|here|everyone)(?:\|.*)?$/;
const GROUP = /^!subteam\^[A-Z0-9]{1,30}(?:\|@?(.*))?$/;
const DATE = /^!date\^\d{1,12}\^[^|]*\|(.*)$/;

export function slackMarkup(text: string, pass: Pass): string {
  return text.replaceAll(TOKEN, (token, content?: string) => {
    if (content !== undefined) return bracketed(content, pass);
    if (token === '@') return quietMention(pass, token);
    return token.length > 1 ? token.toLowerCase() : escapeSlack(token);
  });
}

export const escapeSlack = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const unescaped = (text: string) => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

function bracketed(content: string, pass: Pass): string {
  // Labels of people and rooms may say anything; Slack has better ones.
  const [, person] = PERSON_OR_ROOM.exec(content) ?? [];
  if (person !== undefined) return `<${person}>`;
  const [, everybody] = EVERYBODY.exec(content) ?? [];
  if (everybody !== undefined) return pass.rules.mentions === 'keep' ? `<!${everybody}>` : quietMention(pass, `@${everybody}`);
  const group = GROUP.exec(content);
  if (group) return pass.rules.mentions === 'keep' ? `<${content.split('|')[0]}>` : quietMention(pass, `@${slackMarkup(group[1] ?? 'group', pass)}`);
  const date = DATE.exec(content);
  if (date) return slackMarkup(date[1] ?? '', pass);

  const bar = content.indexOf('|');
  const destination = unescaped(bar === -1 ? content : content.slice(0, bar));
  if (!/^[a-z][a-z0-9+.-]*:/i.test(destination)) {
    pass.changes.add('markup');
    return `&lt;${slackMarkup(content, pass)}&gt;`;
  }
  const words = bar === -1 ? destination : unescaped(content.slice(bar + 1));
  const fate = judgeLink(pass, words, destination);
  // As text, it is looked at once more: words of a link may be a mention of everybody.
  const said = slackMarkup(escapeSlack(words), pass);
  if (fate.as === 'words') return said;
  const href = escapeSlack(fate.href);
  if (fate.as === 'both') return `${said} (${href})`;
  if (fate.as === 'address') return pass.rules.links === 'text' ? href : `<${href}>`;
  return bar === -1 ? `<${href}>` : `<${href}|${said}>`;
}
