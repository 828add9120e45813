// A second opinion on strict JSON that shares no code with the parser: the engine's JSON.parse, and a search through tokens for what it lets pass.

export interface Opinion {
  /** Whether the engine can read it at all. */
  readonly engine: boolean;
  /** Why a strict reader refuses what the engine reads; empty when it must be accepted. */
  readonly reasons: readonly ('duplicate' | 'forbidden' | 'number' | 'depth' | 'surrogate' | 'mark')[];
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs;
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);

export function opinionOn(text: string, maxDepth: number): Opinion {
  try {
    JSON.parse(text);
  } catch {
    return { engine: false, reasons: [] };
  }
  const reasons = new Set<Opinion['reasons'][number]>();
  if (text.startsWith('\ufeff')) reasons.add('mark');
  if (!text.isWellFormed()) reasons.add('surrogate');
  const open: (Set<string> | null)[] = [];
  const tokens = text.match(TOKEN) ?? [];
  for (const [index, token] of tokens.entries()) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(null);
    else if (token === '}' || token === ']') open.pop();
    else if (token.startsWith('"')) {
      const value = JSON.parse(token) as string;
      if (!value.isWellFormed()) reasons.add('surrogate');
      const keys = tokens[index + 1] === ':' ? open.at(-1) : undefined;
      if (!keys) continue;
      if (FORBIDDEN.has(value)) reasons.add('forbidden');
      if (keys.has(value)) reasons.add('duplicate');
      keys.add(value);
    } else if (/^-?\d/.test(token) && isDisputed(token)) reasons.add('number');
    if (open.length > maxDepth) reasons.add('depth');
  }
  return { engine: true, reasons: [...reasons] };
}

/** Whether two careful readers could come to different numbers: told by decimal arithmetic, not by rounding. */
function isDisputed(token: string): boolean {
  const value = Number(token);
  if (token === '-0' || !Number.isFinite(value)) return true;
  return Number.isInteger(value) && Math.abs(value) > 2 ** 53 - 1;
}
