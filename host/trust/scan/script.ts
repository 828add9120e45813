// plugin.js as a parser sees it: every node with its parent, places for people, and texts put together from constants. Read once a scan, asked by the rules; owner of acorn.
import { parse, type AnyNode, type CallExpression, type Comment, type MemberExpression } from 'acorn';
import { SCRIPT_FILE } from '../package-names.ts';

export type { AnyNode, CallExpression, MemberExpression } from 'acorn';

/** Where something stands, in lines and UTF-16 columns from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface Script {
  readonly text: string;
  /** Why nobody could read it; it has no nodes then. */
  readonly problem?: string;
  /** Every node, outer before inner. */
  readonly nodes: readonly AnyNode[];
  readonly comments: readonly Comment[];
  readonly parentOf: (node: AnyNode) => AnyNode | undefined;
  /** For a finding: the file and where in it. */
  readonly at: (offset: number) => Place & { readonly file: string };
  /** The text that an expression always has, however it is put together; undefined when it depends on anything. */
  readonly textOf: (node: AnyNode) => string | undefined;
}

/** Never throws: hostile code is unreadable code. Depth is bounded by the stack, which the parser watches; time and memory are the caller's to bound. */
export function readScript(text: string): Script {
  const comments: Comment[] = [];
  const nodes: AnyNode[] = [];
  const parents = new Map<AnyNode, AnyNode>();
  const lines = linesOf(text);
  const at: Script['at'] = (offset) => ({ file: SCRIPT_FILE, ...placeIn(lines, offset) });
  let problem: string | undefined;
  try {
    // As the sandbox runs it: a classic script. A rule that needs less than all of it would be a rule to hide from.
    gather(parse(text, { ecmaVersion: 'latest', sourceType: 'script', onComment: comments }), nodes, parents);
  } catch (thrown) {
    problem = thrown instanceof Error ? thrown.message : String(thrown);
  }
  if (problem !== undefined) return { text, problem, nodes: [], comments: [], parentOf: () => undefined, at, textOf: () => undefined };
  const folding = { constants: constantsOf(nodes), known: new Map() };
  return { text, nodes, comments, parentOf: (node) => parents.get(node), at, textOf: (node) => textOf(node, folding, 0) };
}

/** By a list of what is still to be done, not by recursion: depth costs no stack. */
function gather(program: AnyNode, nodes: AnyNode[], parents: Map<AnyNode, AnyNode>): void {
  const open: AnyNode[] = [program];
  for (let node = open.pop(); node; node = open.pop()) {
    nodes.push(node);
    const children: AnyNode[] = [];
    for (const value of Object.values<unknown>({ ...node })) for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) children.push(child);
    for (const child of children.toReversed()) {
      parents.set(child, node);
      open.push(child);
    }
  }
}

const isNode = (value: unknown): value is AnyNode => typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';

/** Offsets at which lines begin. */
export function linesOf(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

export function placeIn(starts: readonly number[], offset: number): Place {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
}

/** What a node is without the wrapping that changes nothing: `(0, x)`, `a?.b`. */
export function bare(node: AnyNode): AnyNode {
  if (node.type === 'ChainExpression' || node.type === 'ParenthesizedExpression') return bare(node.expression);
  if (node.type === 'SequenceExpression') return bare(node.expressions.at(-1) ?? node);
  return node;
}

/** The name of a member: `a.b`, `a['b']`, `a['x' + y]` where y is constant. Undefined for a private one, and where it is made at run time. */
export function memberName(node: MemberExpression, script: Pick<Script, 'textOf'>): string | undefined {
  if (!node.computed) return node.property.type === 'Identifier' ? node.property.name : undefined;
  return script.textOf(node.property);
}

export function keyName(node: AnyNode, script: Pick<Script, 'textOf'>): string | undefined {
  if (node.type !== 'Property') return undefined;
  if (!node.computed && node.key.type === 'Identifier') return node.key.name;
  return script.textOf(node.key);
}

/** A name that was not simply written down: put together from pieces, or written in escapes. */
export function isDisguised(node: AnyNode, { text }: Pick<Script, 'text'>): boolean {
  if (node.type === 'Literal') return (node.raw ?? '').includes('\\');
  if (node.type === 'TemplateLiteral') return node.expressions.length > 0 || text.slice(node.start, node.end).includes('\\');
  return node.type !== 'Identifier' || text.slice(node.start, node.end).includes('\\');
}

export const argumentOf = ({ arguments: given }: Pick<CallExpression, 'arguments'>, index: number): AnyNode | undefined => {
  const argument = given[index];
  return argument?.type === 'SpreadElement' ? undefined : argument;
};

// --- Constant texts --------------------------------------------------------------------------------------------------------------------------------------

interface Folding {
  readonly constants: ReadonlyMap<string, AnyNode>;
  /** What was made out already: constants made of constants would be read again and again. */
  readonly known: Map<AnyNode, string | undefined>;
}

const DEEPEST = 12;
const LONGEST = 8192;

/** Names that are given a value once, where they are declared. Scopes are not told apart: two declarations of a name, and it counts as unknown. */
function constantsOf(nodes: readonly AnyNode[]): Folding['constants'] {
  const values = new Map<string, AnyNode>();
  const spoilt = new Set<string>();
  const declare = (name: string, value: AnyNode | null | undefined) => {
    if (!value || values.has(name)) spoilt.add(name);
    else values.set(name, value);
  };
  for (const node of nodes) {
    if (node.type === 'VariableDeclarator' && node.id.type === 'Identifier') declare(node.id.name, node.init);
    else if (node.type === 'AssignmentExpression' && node.left.type === 'Identifier') spoilt.add(node.left.name);
    else if (node.type === 'UpdateExpression' && node.argument.type === 'Identifier') spoilt.add(node.argument.name);
    else if (node.type === 'FunctionExpression' || node.type === 'FunctionDeclaration' || node.type === 'ArrowFunctionExpression') for (const each of node.params) if (each.type === 'Identifier') spoilt.add(each.name);
  }
  for (const name of spoilt) values.delete(name);
  return values;
}

function textOf(given: AnyNode, folding: Folding, depth: number): string | undefined {
  const node = bare(given);
  if (depth > DEEPEST) return undefined;
  if (folding.known.has(node)) return folding.known.get(node);
  const text = fold(node, folding, (each) => textOf(each, folding, depth + 1));
  folding.known.set(node, text);
  return text;
}

function fold(node: AnyNode, { constants }: Folding, inner: (node: AnyNode) => string | undefined): string | undefined {
  switch (node.type) {
    case 'Literal':
      return typeof node.value === 'string' || typeof node.value === 'number' ? String(node.value) : undefined;
    case 'Identifier': {
      const value = constants.get(node.name);
      return value && inner(value);
    }
    case 'BinaryExpression':
      return joined(summandsOf(node).map(inner), '');
    case 'TemplateLiteral':
      return joined(node.quasis.flatMap(({ value }, index) => [value.cooked ?? undefined, ...(node.expressions[index] ? [inner(node.expressions[index])] : [])]), '');
    case 'CallExpression':
      return textOfCall(node, inner);
    default:
      return undefined;
  }
}

/** `a + b + c` leans to the left, as deep as it is long. */
export function summandsOf(node: AnyNode): AnyNode[] {
  const summands: AnyNode[] = [];
  let left = node;
  for (; left.type === 'BinaryExpression' && left.operator === '+'; left = bare(left.left)) summands.push(left.right);
  return left === node ? [] : [left, ...summands.toReversed()];
}

/** `a + b` inside of `a + b + c`, which is taken as one. */
export function isInnerSum(node: AnyNode, { parentOf }: Pick<Script, 'parentOf'>): boolean {
  const parent = parentOf(node);
  return node.type === 'BinaryExpression' && parent?.type === 'BinaryExpression' && parent.operator === '+' && parent.left === node;
}

/** `['a', 'b'].join('')`, `'ba'.split('').reverse().join('')`, `String.fromCharCode(97, 98)`: the usual ways to write a word so that nobody finds it. */
function textOfCall(node: CallExpression, inner: (node: AnyNode) => string | undefined): string | undefined {
  const callee = bare(node.callee);
  if (callee.type !== 'MemberExpression') return undefined;
  const name = memberName(callee, { textOf: inner });
  if (name === 'fromCharCode' || name === 'fromCodePoint') return joined(node.arguments.map((each) => charOf(inner(each))), '');
  if (name === 'concat') return joined([callee.object, ...node.arguments].map(inner), '');
  if (name !== 'join') return undefined;
  const separator = node.arguments[0] ? inner(node.arguments[0]) : ',';
  const list = listOf(callee.object, inner, 0);
  return list && separator !== undefined ? joined(list, separator) : undefined;
}

function listOf(given: AnyNode, inner: (node: AnyNode) => string | undefined, depth: number): readonly (string | undefined)[] | undefined {
  const node = bare(given);
  if (node.type === 'ArrayExpression') return node.elements.map((each) => (each ? inner(each) : ''));
  if (node.type !== 'CallExpression' || depth > DEEPEST) return undefined;
  const callee = bare(node.callee);
  if (callee.type !== 'MemberExpression') return undefined;
  const name = memberName(callee, { textOf: inner });
  if (name === 'reverse') return listOf(callee.object, inner, depth + 1)?.toReversed();
  if (name !== 'split' || !node.arguments[0]) return undefined;
  const separator = inner(node.arguments[0]);
  return separator === undefined ? undefined : inner(callee.object)?.split(separator);
}

function charOf(code: string | undefined): string | undefined {
  const number = Number(code);
  return code !== undefined && Number.isInteger(number) && number >= 0 && number <= 0x10ffff ? String.fromCodePoint(number) : undefined;
}

function joined(parts: readonly (string | undefined)[], separator: string): string | undefined {
  if (parts.length === 0) return undefined;
  let whole = '';
  for (const [index, part] of parts.entries()) {
    if (part === undefined) return undefined;
    whole += index === 0 ? part : separator + part;
    if (whole.length > LONGEST) return undefined;
  }
  return whole;
}
