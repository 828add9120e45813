// Dialect `telegram-markdown-v2` (https://core.telegram.org/bots/api#markdownv2-style): entities that are whole stay, every other sign that means something is escaped, so that Telegram takes the text. Called by sanitizing.ts.
import { judgeLink, type Pass } from './pass.ts';

const SPECIAL = /[_*[\]()~`>#+\-=|{}.!\\]/;
const SPECIALS = new RegExp(SPECIAL, 'g');
const LINK = /!?\[((?:[^[\]\\\n]|\\[^\n])*)\]\(((?:[^()\\\s]|\\[^\s])*)\)/y;
/** People and emoji are named by addresses that only Telegram knows. */
const INTERNAL = /^tg:\/\/(?:user|emoji)\?id=\d{1,20}$/;
const LANGUAGE = /[\w+#.-]{0,30}\n/y;

/** Text that is ready, or a sign that may begin or end an entity. */
interface Token {
  readonly text: string;
  readonly sign?: { readonly mayOpen: boolean; readonly mayClose: boolean };
}

export function telegramMarkdown(text: string, pass: Pass): string {
  let out = '';
  let line: Token[] = [];
  const endLine = () => {
    out += joined(line, pass);
    line = [];
  };
  let at = 0;
  while (at < text.length) {
    const character = text.charAt(at);
    if (character === '\n') {
      // Entities end with their line: less than Telegram allows, and nothing is ever left open.
      endLine();
      out += character;
      at += 1;
    } else if (text.startsWith('```', at)) {
      const end = closing(text, at + 3, '```', false);
      if (end === undefined) {
        line.push({ text: escapeTelegram('```', pass) });
        at += 3;
      } else {
        endLine();
        LANGUAGE.lastIndex = at + 3;
        const language = LANGUAGE.exec(text)?.[0] ?? '';
        out += `\`\`\`${language}${codeText(text.slice(at + 3 + language.length, end))}\`\`\``;
        at = end + 3;
      }
    } else if (character === '`') {
      const end = closing(text, at + 1, '`', true);
      if (end === undefined || end === at + 1) {
        line.push({ text: escapeTelegram(character, pass) });
        at += 1;
      } else {
        line.push({ text: `\`${codeText(text.slice(at + 1, end))}\`` });
        at = end + 1;
      }
    } else if (character === '\\') {
      const after = text.charAt(at + 1);
      const isEscape = after !== '' && SPECIAL.test(after);
      line.push({ text: isEscape ? `\\${after}` : '\\\\' });
      at += isEscape ? 2 : 1;
    } else if (character === '[' || (character === '!' && text.charAt(at + 1) === '[')) {
      LINK.lastIndex = at;
      const link = LINK.exec(text);
      line.push({ text: link ? linkOf(link, pass) : escapedSign(character, pass) });
      at += link ? link[0].length : 1;
    } else if (character === '_' || character === '*' || character === '~' || character === '|') {
      const end = runEnd(text, at);
      line.push(signOf(text, at, end, pass));
      at = end;
    } else if (character === '>' && (at === 0 || text.charAt(at - 1) === '\n')) {
      line.push({ text: character });
      at += 1;
    } else {
      const end = plainEnd(text, at);
      line.push({ text: end === at ? escapedSign(character, pass) : text.slice(at, end) });
      at = Math.max(end, at + 1);
    }
  }
  endLine();
  return out;
}

/** Every sign that means something, escaped. */
export function escapeTelegram(text: string, pass?: Pass): string {
  if (SPECIAL.test(text)) pass?.changes.add('markup');
  return text.replaceAll(SPECIALS, '\\$&');
}

function escapedSign(sign: string, pass: Pass): string {
  pass.changes.add('markup');
  return `\\${sign}`;
}

/** Each sign is opened by one and closed by the next of its kind; what is opened in between and not closed is text. Every token is put on the stack and taken off it once at most. */
function joined(tokens: readonly Token[], pass: Pass): string {
  const kept = new Set<number>();
  const stack: number[] = [];
  const openKinds = new Map<string, number>();
  for (const [index, { text, sign }] of tokens.entries()) {
    if (!sign) continue;
    const opener = openKinds.get(text);
    if (opener !== undefined && sign.mayClose) {
      while (stack.length > 0 && stack.at(-1) !== opener) openKinds.delete(tokens[stack.pop() ?? 0]?.text ?? '');
      stack.pop();
      openKinds.delete(text);
      // An entity of nothing is none.
      if (index > opener + 1) kept.add(opener).add(index);
    } else if (opener === undefined && sign.mayOpen) {
      stack.push(index);
      openKinds.set(text, index);
    }
  }
  return tokens.map(({ text, sign }, index) => (sign && !kept.has(index) ? escapeTelegram(text, pass) : text)).join('');
}

/** A sign inside a word is a letter of it: `snake_case` is nobody's italics. */
function signOf(text: string, from: number, to: number, pass: Pass): Token {
  const sign = text.slice(from, to);
  if (sign !== '_' && sign !== '__' && sign !== '*' && sign !== '~' && sign !== '||') return { text: escapeTelegram(sign, pass) };
  const before = sortOf(text, from - 1);
  const after = sortOf(text, to);
  return { text: sign, sign: { mayOpen: after !== 'space' && before !== 'word', mayClose: before !== 'space' && after !== 'word' } };
}

/** The ends of a text count as space. ASCII is answered without a search. */
function sortOf(text: string, at: number): 'word' | 'space' | 'other' {
  const unit = text.charCodeAt(at);
  if (Number.isNaN(unit) || unit === 0x20 || unit === 0x0a || unit === 0x09) return 'space';
  if (unit < 0x80) return (unit >= 0x30 && unit <= 0x39) || (unit >= 0x41 && unit <= 0x5a) || (unit >= 0x61 && unit <= 0x7a) ? 'word' : 'other';
  // Of a pair either half leads to the whole.
  const character = unit >= 0xdc00 && unit <= 0xdfff ? text.slice(at - 1, at + 1) : String.fromCodePoint(text.codePointAt(at) ?? 0);
  if (/\s/.test(character)) return 'space';
  return /[\p{L}\p{N}]/u.test(character) ? 'word' : 'other';
}

function linkOf([whole, inner = '', destination = '']: RegExpExecArray, pass: Pass): string {
  const unescaped = (text: string) => text.replaceAll(/\\([!-/:-@[-`{-~])/g, '$1');
  const words = unescaped(inner);
  const target = unescaped(destination);
  if (INTERNAL.test(target) && whole.startsWith('!') === target.startsWith('tg://emoji')) return `${whole.startsWith('!') ? '!' : ''}[${escapeTelegram(words)}](${target})`;
  const mark = whole.startsWith('!') ? escapeTelegram('!', pass) : '';
  const fate = judgeLink(pass, words, target);
  switch (fate.as) {
    case 'words':
      return mark + escapeTelegram(words);
    case 'both':
      return mark + escapeTelegram(`${words} (${fate.href})`);
    case 'address':
      return mark + (pass.rules.links === 'text' ? escapeTelegram(fate.href) : `[${escapeTelegram(fate.href)}](${fate.href})`);
    case 'link':
      return `${mark}[${escapeTelegram(words)}](${fate.href})`;
    default:
      return fate satisfies never;
  }
}

/** Within code only backtick and backslash mean something; they are escaped once, however they came. */
function codeText(code: string): string {
  return code.replaceAll(/\\([\\`])|\\|`/g, (whole, escaped?: string) => (escaped === undefined ? `\\${whole}` : `\\${escaped}`));
}

/** Where the unescaped mark begins that ends the code; undefined when none does. */
function closing(text: string, from: number, mark: string, isOneLine: boolean): number | undefined {
  for (let at = from; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (isOneLine && character === '\n') return undefined;
    if (character === '\\') at += 1;
    else if (character === '`' && text.startsWith(mark, at)) return at;
  }
  return undefined;
}

function runEnd(text: string, from: number): number {
  let end = from + 1;
  while (text.charAt(end) === text.charAt(from)) end += 1;
  return end;
}

/** Up to the next sign or line. */
function plainEnd(text: string, from: number): number {
  PLAIN.lastIndex = from;
  return from + (PLAIN.exec(text)?.[0].length ?? 0);
}

const PLAIN = /[^_*[\]()~`>#+\-=|{}.!\\\n]*/y;
