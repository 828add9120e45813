// Code that was made hard to read on purpose. Minified code passes: short names and long lines hide nothing from a parser, and are what bundlers make.
import { SCRIPT_FILE } from '../../package-names.ts';
import { quote, type ContentRule, type Sighting } from '../finding.ts';
import { bare, type AnyNode, type Script } from '../script.ts';

export const obfuscatedCode: ContentRule = {
  name: 'obfuscated-code',
  *look({ script }) {
    yield* escapedNames(script);
    yield* escapedTexts(script);
    yield* generatedNames(script);
    yield* decoders(script);
    yield* onlyPunctuation(script);
  },
};

const FIX = 'Ask the author for the code as it was written, built with `gatehouse build`; nobody can agree to what nobody can read.';

/** No tool writes a letter of a name as an escape; people do who do not want it found. */
function* escapedNames({ nodes, text, at }: Script): Iterable<Sighting> {
  for (const node of nodes) {
    if (node.type !== 'Identifier' || node.end - node.start === node.name.length) continue;
    const written = text.slice(node.start, node.end);
    if (!written.includes('\\')) continue;
    yield { outcome: 'warn', risk: 'high', ...at(node.start), message: `The name ${quote(node.name)} is written in escapes (${quote(written)}), so that a search for it finds nothing.`, fix: FIX };
  }
}

/** So many letters of one text, or of all texts together, written as `\x61`, `\u0061` or `\141`. Bundlers write escapes only for what cannot be shown. */
const MOST_IN_ONE = 8;
const MOST_IN_ALL = 24;
const ESCAPED_LETTER = /\\(?:x(?:[2-6][0-9a-f]|7[0-9a-e])|u00(?:[2-6][0-9a-f]|7[0-9a-e])|u\{0*(?:[2-6][0-9a-f]|7[0-9a-e])\}|0?[4-7][0-7]|1(?:[0-6][0-7]|7[0-6])|\\)/gi;

function* escapedTexts({ nodes, text, at }: Script): Iterable<Sighting> {
  let all = 0;
  for (const node of nodes) {
    const isText = (node.type === 'Literal' && typeof node.value === 'string') || node.type === 'TemplateElement';
    if (!isText) continue;
    let here = 0;
    for (const [escape] of text.slice(node.start, node.end).matchAll(ESCAPED_LETTER)) if (escape !== '\\\\') here += 1;
    const before = all;
    all += here;
    if (here < MOST_IN_ONE && !(before < MOST_IN_ALL && all >= MOST_IN_ALL)) continue;
    const shown = node.type === 'Literal' ? String(node.value) : (node.value.cooked ?? node.value.raw);
    yield { outcome: 'warn', risk: 'high', ...at(node.start), message: `Ordinary letters are written as escapes, here of the text ${quote(shown)}: a search for it finds nothing.`, fix: FIX };
  }
}

/** Names as obfuscators make them: `_0x3fa2b1`. */
const GENERATED = /^_0x[0-9a-f]{3,}$/i;
const MOST_GENERATED = 6;

function* generatedNames({ nodes, at }: Script): Iterable<Sighting> {
  const names = new Set<string>();
  for (const node of nodes) {
    if (node.type !== 'Identifier' || !GENERATED.test(node.name) || names.has(node.name)) continue;
    names.add(node.name);
    if (names.size < MOST_GENERATED) continue;
    yield { outcome: 'warn', risk: 'high', ...at(node.start), message: `Names such as ${quote(node.name)} are what obfuscators make; minifiers make short ones.`, fix: FIX };
    return;
  }
}

/** A list with so many texts, read by a function that is called with a number, so often. */
const LEAST_TEXTS = 8;
const LEAST_CALLS = 8;

/** The texts of the program in one list, and a function that hands them out by number: the heart of every string obfuscator. */
function* decoders(script: Script): Iterable<Sighting> {
  const lists = textLists(script);
  if (lists.size === 0) return;
  const readers = new Map<string, AnyNode>();
  const calls = new Map<string, number>();
  for (const node of script.nodes) {
    if (node.type === 'MemberExpression' && node.computed && isOneOf(lists, node.object) && node.property.type !== 'Literal') {
      const reader = functionAround(node, script);
      if (reader) readers.set(reader.name, reader.node);
    }
    if (node.type !== 'CallExpression') continue;
    const callee = bare(node.callee);
    const [first] = node.arguments;
    const isByNumber = first?.type === 'Literal' && (typeof first.value === 'number' || (typeof first.value === 'string' && /^0x[0-9a-f]+$/i.test(first.value)));
    if (callee.type === 'Identifier' && isByNumber) calls.set(callee.name, (calls.get(callee.name) ?? 0) + 1);
  }
  for (const [name, node] of readers) {
    const count = calls.get(name) ?? 0;
    if (count < LEAST_CALLS) continue;
    yield { outcome: 'warn', risk: 'high', ...script.at(node.start), message: `The function ${quote(name)} hands out texts by number, and is called so ${count} times: the texts of the program are kept away from whoever reads it.`, fix: FIX };
  }
}

/** Names of lists of texts, and of functions that return one. */
function textLists({ nodes, parentOf }: Script): ReadonlySet<string> {
  const names = new Set<string>();
  for (const node of nodes) {
    if (node.type !== 'ArrayExpression' || node.elements.length < LEAST_TEXTS) continue;
    if (!node.elements.every((each) => each?.type === 'Literal' && typeof each.value === 'string')) continue;
    const parent = parentOf(node);
    if ((parent?.type === 'VariableDeclarator' && parent.id.type === 'Identifier') || (parent?.type === 'AssignmentExpression' && parent.left.type === 'Identifier')) {
      const name = parent.type === 'VariableDeclarator' ? parent.id : parent.left;
      if (name.type === 'Identifier') names.add(name.name);
      const owner = functionAround(node, { parentOf });
      if (owner) names.add(owner.name);
    }
  }
  return names;
}

function isOneOf(lists: ReadonlySet<string>, given: AnyNode): boolean {
  const node = bare(given);
  if (node.type === 'CallExpression') return isOneOf(lists, node.callee);
  return node.type === 'Identifier' && lists.has(node.name);
}

/** The innermost function around a node that has a name, or is given one. */
function functionAround(inner: AnyNode, { parentOf }: Pick<Script, 'parentOf'>): { readonly name: string; readonly node: AnyNode } | undefined {
  for (let node = parentOf(inner); node; node = parentOf(node)) {
    if (node.type === 'FunctionDeclaration' && node.id) return { name: node.id.name, node };
    if (node.type !== 'FunctionExpression' && node.type !== 'ArrowFunctionExpression') continue;
    const parent = parentOf(node);
    if (parent?.type === 'VariableDeclarator' && parent.id.type === 'Identifier') return { name: parent.id.name, node };
    if (parent?.type === 'AssignmentExpression' && parent.left.type === 'Identifier') return { name: parent.left.name, node };
  }
  return undefined;
}

/** `[][(![]+[])[+[]]…`: a language of six characters that is JavaScript all the same. */
const LEAST_LENGTH = 400;

function* onlyPunctuation({ text, nodes }: Script): Iterable<Sighting> {
  if (text.length < LEAST_LENGTH || nodes.length === 0) return;
  let odd = 0;
  let seen = 0;
  for (const char of text) {
    if (char === ' ' || char === '\n') continue;
    seen += 1;
    if ('[]()!+'.includes(char)) odd += 1;
  }
  if (odd / seen < 0.7) return;
  yield { outcome: 'warn', risk: 'critical', file: SCRIPT_FILE, line: 1, column: 1, message: `${Math.round((odd / seen) * 100)} % of the script are brackets, plus and exclamation marks: code in a writing that nobody can read.`, fix: FIX };
}
