// Dialect `markdown`: CommonMark and GFM as renderers read them, without raw HTML, images and reference links. Emphasis, lists and quotes are harmless and stay as they are. Called by sanitizing.ts.
//
// What is code is not looked into, so the host must never take for code what a renderer does not: fences count in the first column alone, code spans within one line.
import { characterOf } from './characters.ts';
import { decode } from './html.ts';
import { judgeLink, type Pass } from './pass.ts';

const FENCE = /^(`{3,})[\w+#.-]{0,30}$/;

export function markdown(text: string, pass: Pass): string {
  let fence = '';
  const lines = text.split('\n').map((line) => {
    if (fence !== '') {
      const closing = /^ {0,3}(`{3,})[ \t]*$/.exec(line)?.[1];
      if (closing !== undefined && closing.length >= fence.length) fence = '';
      return line;
    }
    fence = FENCE.exec(line)?.[1] ?? '';
    return fence === '' ? inline(line, pass) : line;
  });
  if (fence !== '') lines.push(fence);
  return lines.join('\n');
}

const PUNCTUATION = /[!-/:-@[-`{-~]/;
const LINK = /\[((?:[^[\]\\`<]|\\.)*)\]\(\s{0,8}<?([^\s()<>]*)>?(?:\s{1,8}(?:"[^"]*"|'[^']*'))?\s{0,8}\)/y;
const AUTOLINK = /<((?:https?:\/\/|mailto:|tel:)[^\s<>]{1,2048})>/iy;
const TOKEN = /\\.|`+|~{3,}|!(?=\[)|\[|<|&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z][a-z0-9]{1,31}));/gi;
const KEPT_REFERENCES: ReadonlySet<string> = new Set(['amp', 'lt', 'gt', 'quot', 'nbsp']);

function inline(line: string, pass: Pass): string {
  const closers = codeClosers(line);
  let out = '';
  let from = 0;
  const escaped = (characters: string, by = '\\') => {
    pass.changes.add('markup');
    return characters.replaceAll(/./g, `${by}$&`);
  };
  TOKEN.lastIndex = 0;
  for (let match = next(TOKEN, line, 0); match; match = next(TOKEN, line, from)) {
    const [token, decimal, hex, named] = match;
    const at = match.index;
    out += line.slice(from, at);
    from = at + token.length;
    switch (token.charAt(0)) {
      case '\\':
        out += token;
        break;
      case '`': {
        const end = closers(token.length, from);
        const code = end === undefined ? undefined : line.slice(from, end);
        // A cell of a table ends at the first bar, code or not.
        if (code === undefined || (code.includes('|') && /[<&[]/.test(code))) out += escaped(token);
        else {
          out += token + code + token;
          from += code.length + token.length;
        }
        break;
      }
      case '[': {
        const link = next(LINK, line, at);
        if (!link) out += escaped(token);
        else {
          out += linkOf(link[1] ?? '', link[2] ?? '', pass);
          from = at + link[0].length;
        }
        break;
      }
      case '<': {
        const link = next(AUTOLINK, line, at);
        if (link) {
          const fate = judgeLink(pass, link[1] ?? '', link[1] ?? '');
          out += fate.as === 'words' ? escapeText(link[1] ?? '') : fate.as === 'both' || pass.rules.links === 'text' ? fate.href : `<${fate.href}>`;
          from = at + link[0].length;
        } else if (/[a-z/!?]/i.test(line.charAt(from))) {
          pass.changes.add('markup');
          out += '&lt;';
        } else out += token;
        break;
      }
      case '&':
        out += referenceOf(token, decimal, hex, named, pass);
        break;
      default:
        out += escaped(token);
    }
  }
  return out + line.slice(from);
}

/** All of it as text, in a form that this dialect leaves alone. */
export function escapeMarkdown(text: string): string {
  return text.replaceAll(/[!-/:-@[-`{-~]/g, (character) => (character === '<' ? '&lt;' : `\\${character}`));
}

const escapeText = (text: string) => escapeMarkdown(text);

function linkOf(inner: string, destination: string, pass: Pass): string {
  const target = decode(destination.replaceAll(/\\([!-/:-@[-`{-~])/g, '$1'));
  const words = inline(inner, pass);
  // What is still a reference after decoding is one that the host does not know and a renderer might.
  const fate = judgeLink(pass, decode(inner.replaceAll(/\\([!-/:-@[-`{-~])/g, '$1')).replaceAll(/[*_~]/g, ''), /&#?\w+;/.test(target) ? '' : target);
  switch (fate.as) {
    case 'words':
      return words;
    case 'both':
      return `${words} (${fate.href})`;
    case 'address':
      return pass.rules.links === 'text' ? fate.href : `[${fate.href.replaceAll(/[_*~]/g, '\\$&')}](${fate.href})`;
    case 'link':
      return `[${words}](${fate.href})`;
    default:
      return fate satisfies never;
  }
}

function referenceOf(token: string, decimal: string | undefined, hex: string | undefined, named: string | undefined, pass: Pass): string {
  if (named !== undefined && KEPT_REFERENCES.has(named)) return token;
  pass.changes.add('markup');
  if (named !== undefined) return `&amp;${token.slice(1)}`;
  const character = characterOf(decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal));
  if (character === '<') return '&lt;';
  return PUNCTUATION.test(character) ? `\\${character}` : character;
}

/** Where the next run of exactly so many backticks begins, as CommonMark closes code spans. Each run is looked at once, however many openers there are. */
function codeClosers(line: string): (length: number, from: number) => number | undefined {
  const runs = new Map<number, number[]>();
  for (const { 0: run, index } of line.matchAll(/`+/g)) {
    const starts = runs.get(run.length);
    if (starts) starts.push(index);
    else runs.set(run.length, [index]);
  }
  for (const starts of runs.values()) starts.reverse();
  return (length, from) => {
    const starts = runs.get(length) ?? [];
    while ((starts.at(-1) ?? from) < from) starts.pop();
    return starts.at(-1);
  };
}

function next(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
