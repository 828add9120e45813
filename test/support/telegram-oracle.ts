// Whether Telegram would take a text as MarkdownV2, by the rules of its documentation and nothing of the host's: reserved signs escaped, entities whole and nested.
const RESERVED = new Set('_*[]()~`>#+-=|{}.!');

export function isMarkdownV2(text: string): boolean {
  const open: string[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const rest = text.slice(at, at + 3);
    if (rest.startsWith('\\')) {
      const code = text.charCodeAt(at + 1);
      if (!(code >= 1 && code <= 126)) return false;
      at += 1;
    } else if (rest === '```' || rest.startsWith('`')) {
      const mark = rest === '```' ? rest : '`';
      let end = at + mark.length;
      while (end < text.length && !text.startsWith(mark, end)) {
        if (text[end] === '`') return false;
        end += text[end] === '\\' ? 2 : 1;
      }
      if (end >= text.length) return false;
      at = end + mark.length - 1;
    } else if (rest.startsWith('[') || rest.startsWith('![')) {
      open.push('[');
      if (rest.startsWith('!')) at += 1;
    } else if (rest.startsWith('](')) {
      if (open.pop() !== '[') return false;
      let end = at + 2;
      while (end < text.length && text[end] !== ')') end += text[end] === '\\' ? 2 : 1;
      if (end >= text.length) return false;
      at = end;
    } else if (/^(?:__|\|\||[*_~])/.test(rest)) {
      const sign = /^(?:__|\|\|)/.test(rest) ? rest.slice(0, 2) : rest.slice(0, 1);
      if (open.at(-1) === sign) open.pop();
      else if (open.includes(sign)) return false;
      else open.push(sign);
      at += sign.length - 1;
    } else if (rest.startsWith('>') && (at === 0 || text[at - 1] === '\n')) continue;
    else if (RESERVED.has(rest.charAt(0))) return false;
  }
  return open.length === 0;
}
