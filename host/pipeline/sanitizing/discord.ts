// Dialect `discord-markdown` (https://docs.discord.com/developers/reference#message-formatting): everything is harmless but links that hide where they lead, and mentions that call everybody. Called by sanitizing.ts.
//
// Code is looked into like all else: a link or a mention in it is written a little differently and means the same, and nobody has to know where Discord ends a code block.
import { judgeLink, quietMention, type Pass } from './pass.ts';

const TOKEN = /@(?=(?:everyone|here)\b)|<@&(?=\d)|\[((?:[^[\]\\\n]|\\[^\n])*)\]\(\s{0,8}<?([a-z][a-z0-9+.-]*:[^\s()<>]*)>?(?:\s{1,8}"[^"\n]*")?\s{0,8}\)/gi;

export function discordMarkdown(text: string, pass: Pass): string {
  return text.replaceAll(TOKEN, (token, inner?: string, destination?: string) => {
    if (inner === undefined || destination === undefined) return quietMention(pass, token);
    const fate = judgeLink(pass, inner.replaceAll(/\\([!-/:-@[-`{-~])|[*_~]/g, '$1'), destination);
    const words = discordMarkdown(inner, pass);
    switch (fate.as) {
      case 'words':
        return words;
      case 'both':
        return `${words} (${fate.href})`;
      case 'address':
        return fate.href;
      case 'link':
        return `[${words}](${fate.href})`;
      default:
        return fate satisfies never;
    }
  });
}
