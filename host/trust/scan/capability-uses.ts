// Which powers of `ctx` a script reaches for, where its own text says it: dots, brackets, destructuring, other names for it in the same function. What is handed to another function, or kept in an object, is not followed. Asked by the two rules about capabilities.
import { ABILITIES } from '../../../schemas/abilities.ts';
import type { CapabilityName } from '../../../schemas/capability.ts';
import { argumentOf, bare, isDisguised, keyName, memberName, type AnyNode, type Script } from './script.ts';

/** One place where a client of `ctx` is used. */
export interface Use {
  readonly capability: CapabilityName;
  /** As an author knows it: `ctx.http.fetch`. */
  readonly client: string;
  readonly node: AnyNode;
  /** Its name is put together, or written in escapes. */
  readonly disguised: boolean;
}

/** The clients of `ctx` that need a capability: `ctx.<client>.<method>`. */
const CLIENTS = {
  http: { fetch: 'http.fetch' },
  kv: { get: 'kv', set: 'kv', delete: 'kv', list: 'kv' },
  message: { send: 'message.send', list: 'message.read' },
  tool: { call: 'tool.call' },
} as const satisfies Readonly<Record<string, Readonly<Record<string, CapabilityName>>>>;
type Client = keyof typeof CLIENTS;

const isClient = (name: string | undefined): name is Client => name !== undefined && Object.hasOwn(CLIENTS, name);

function capabilityOf(client: Client, method: string | undefined): CapabilityName | undefined {
  const methods: Readonly<Record<string, CapabilityName>> = CLIENTS[client];
  return method !== undefined && Object.hasOwn(methods, method) ? methods[method] : undefined;
}

/** Whatever its object is called: minifiers rename `ctx`, and nothing else has these pairs of names. */
export function usesOf(script: Script): Use[] {
  const aliases = aliasesOf(script);
  const uses: Use[] = [];
  for (const node of script.nodes) {
    if (node.type === 'MemberExpression') {
      const client = clientOf(node.object, aliases, script);
      const method = client && memberName(node, script);
      const capability = client && capabilityOf(client.name, method);
      if (capability) uses.push({ capability, client: `ctx.${client.name}.${method}`, node, disguised: client.disguised || (node.computed && isDisguised(node.property, script)) });
    }
    if (node.type !== 'ObjectPattern') continue;
    const client = sourceOf(node, aliases, script);
    for (const property of client ? node.properties : []) {
      const method = keyName(property, script);
      const capability = client && capabilityOf(client.name, method);
      if (capability && property.type === 'Property') uses.push({ capability, client: `ctx.${client.name}.${method}`, node: property, disguised: client.disguised || (property.computed && isDisguised(property.key, script)) });
    }
  }
  return uses;
}

interface ClientName {
  readonly name: Client;
  readonly disguised: boolean;
}

/** `x.http`, or a name that something of that kind was put into. */
function clientOf(given: AnyNode, aliases: Aliases, script: Script): ClientName | undefined {
  const node = bare(given);
  if (node.type === 'Identifier') return aliases(node.name, node.start);
  if (node.type === 'LogicalExpression') return clientOf(node.left, aliases, script) ?? clientOf(node.right, aliases, script);
  if (node.type === 'ConditionalExpression') return clientOf(node.consequent, aliases, script) ?? clientOf(node.alternate, aliases, script);
  if (node.type === 'CallExpression') {
    const key = reflectedKey(node, script);
    const name = key && script.textOf(key);
    return key && isClient(name) ? { name, disguised: isDisguised(key, script) } : undefined;
  }
  // `this.tool.call(…)` is a function of the plugin's own being called.
  if (node.type !== 'MemberExpression' || node.object.type === 'ThisExpression') return undefined;
  const name = memberName(node, script);
  return isClient(name) ? { name, disguised: node.computed && isDisguised(node.property, script) } : undefined;
}

/** The key of `Reflect.get(x, key)`. */
function reflectedKey(node: Extract<AnyNode, { type: 'CallExpression' }>, script: Script): AnyNode | undefined {
  const callee = bare(node.callee);
  const isReflect = callee.type === 'MemberExpression' && callee.object.type === 'Identifier' && callee.object.name === 'Reflect' && memberName(callee, script) === 'get';
  return isReflect ? argumentOf(node, 1) : undefined;
}

/** What a name at a place in the script stands for, when that is a client. */
type Aliases = (name: string, offset: number) => ClientName | undefined;

/** Where a name counts, and as what. Minifiers use the same short names everywhere, so that the innermost declaration has to be found. */
interface Binding {
  readonly start: number;
  readonly end: number;
  readonly client: ClientName | undefined;
  /** Another name that it was given, to be looked up where that stands. */
  readonly other?: Extract<AnyNode, { type: 'Identifier' }> | undefined;
}

/** So many names one after another for one thing. */
const LONGEST_CHAIN = 12;

/** `const { http } = …`, `(input, { http: h }) => …`, `const h = ctx.http`, `h = ctx['http']`. */
function aliasesOf(script: Script): Aliases {
  const bindings = new Map<string, Binding[]>();
  const assigned = new Map<string, ClientName>();
  const bind = (name: string, at: AnyNode, client: ClientName | undefined, other?: Binding['other']) => {
    const { start, end } = scopeAround(at, script);
    const known = bindings.get(name);
    if (known) known.push({ start, end, client, other });
    else bindings.set(name, [{ start, end, client, other }]);
  };
  for (const node of script.nodes) {
    if (node.type === 'VariableDeclarator' && node.id.type === 'Identifier') bind(node.id.name, node, node.init ? memberClient(node.init, script) : undefined, node.init?.type === 'Identifier' ? node.init : undefined);
    else if (node.type === 'AssignmentExpression' && node.operator === '=' && node.left.type === 'Identifier') {
      const client = memberClient(node.right, script);
      if (client) assigned.set(node.left.name, client);
    } else if (node.type === 'Identifier') {
      const bound = patternClient(node, script);
      if (bound) bind(node.name, node, bound.client);
    }
  }
  const none: Binding = { start: -1, end: Infinity, client: undefined };
  const lookUp = (name: string, offset: number, depth: number): ClientName | undefined => {
    let found = none;
    for (const each of bindings.get(name) ?? []) if (each.start <= offset && offset < each.end && each.start >= found.start) found = each.client || each.other || each.start > found.start ? each : found;
    const other = found.other && depth < LONGEST_CHAIN ? lookUp(found.other.name, found.other.start, depth + 1) : undefined;
    return found.client ?? other ?? assigned.get(name);
  };
  return (name, offset) => lookUp(name, offset, 0);
}

/** `ctx.http` itself, and not another name for it. */
function memberClient(given: AnyNode, script: Script): ClientName | undefined {
  return clientOf(given, () => undefined, script);
}

/** For a name that a parameter or a pattern declares: the client that its key names, if it is one. */
function patternClient(node: AnyNode, script: Script): { readonly client: ClientName | undefined } | undefined {
  const first = script.parentOf(node);
  const isDefault = first?.type === 'AssignmentPattern' && first.left === node;
  const [inner, parent] = isDefault ? [first, script.parentOf(first)] : [node, first];
  if (parent?.type === 'Property' && parent.value === inner && script.parentOf(parent)?.type === 'ObjectPattern') {
    const name = keyName(parent, script);
    return { client: isClient(name) ? { name, disguised: parent.computed && isDisguised(parent.key, script) } : undefined };
  }
  if (parent?.type === 'ArrayPattern' || parent?.type === 'RestElement') return { client: undefined };
  return parent && isFunction(parent) && parent.params.some((each) => each === inner) ? { client: undefined } : undefined;
}

const isFunction = (node: AnyNode) => node.type === 'FunctionExpression' || node.type === 'ArrowFunctionExpression' || node.type === 'FunctionDeclaration';

/** The nearest function or block: what is declared in it counts in it. */
function scopeAround(inner: AnyNode, { parentOf }: Script): AnyNode {
  let node = inner;
  for (let next = parentOf(inner); next; next = parentOf(next)) {
    node = next;
    if (isFunction(node) || node.type === 'BlockStatement' || node.type === 'ForStatement' || node.type === 'ForOfStatement' || node.type === 'ForInStatement' || node.type === 'CatchClause') return node;
  }
  return node;
}

/** What a pattern takes apart, when that is a client: `const { fetch } = ctx.http`, `({ http: { fetch } }) => …`. */
function sourceOf(pattern: AnyNode, aliases: Aliases, script: Script): ClientName | undefined {
  const parent = script.parentOf(pattern);
  if (parent?.type === 'VariableDeclarator' && parent.init) return clientOf(parent.init, aliases, script);
  if (parent?.type === 'AssignmentExpression') return clientOf(parent.right, aliases, script);
  if (parent?.type === 'AssignmentPattern') return sourceOf(parent, aliases, script);
  if (parent?.type !== 'Property' || parent.value !== pattern) return undefined;
  const name = keyName(parent, script);
  return isClient(name) ? { name, disguised: parent.computed && isDisguised(parent.key, script) } : undefined;
}

/** Handlers are given `ctx` second. */
const HANDLERS: ReadonlySet<string> = new Set([...ABILITIES, 'respond', 'evaluate', 'call']);

/** Places where a handler asks its `ctx`, or another name for it, for something whose name is made at run time: `ctx[name]`, `Reflect.get(ctx, name)`. */
export function hiddenUses(script: Script): AnyNode[] {
  const contexts: { readonly name: string; readonly start: number; readonly end: number }[] = [];
  const isContext = (given: AnyNode): boolean => {
    const node = bare(given);
    return node.type === 'Identifier' && contexts.some(({ name, start, end }) => name === node.name && start <= node.start && node.end <= end);
  };
  for (const node of script.nodes) {
    if (node.type === 'VariableDeclarator' && node.id.type === 'Identifier' && node.init && isContext(node.init)) {
      const { start, end } = scopeAround(node, script);
      contexts.push({ name: node.id.name, start, end });
    }
    if (!isFunction(node)) continue;
    const [, second] = node.params;
    const key = script.parentOf(node);
    // `define…({ respond(input, ctx) { … } })` and `handlers: { respond: … }`
    const holder = key?.type === 'Property' && HANDLERS.has(keyName(key, script) ?? '') ? script.parentOf(key) : undefined;
    const around = holder && script.parentOf(holder);
    const isHandler = around?.type === 'CallExpression' || (around?.type === 'Property' && keyName(around, script) === 'handlers');
    if (isHandler && second?.type === 'Identifier') contexts.push({ name: second.name, start: node.start, end: node.end });
  }
  return script.nodes.filter((node) => {
    if (node.type === 'CallExpression') {
      const [target, key] = [argumentOf(node, 0), reflectedKey(node, script)];
      return target !== undefined && key !== undefined && isContext(target) && script.textOf(key) === undefined;
    }
    return node.type === 'MemberExpression' && node.computed && isContext(node.object) && memberName(node, script) === undefined;
  });
}

/** The address a fetch begins with, where the script says it; undefined where it comes from elsewhere. */
export function originFetched({ node, capability }: Use, script: Script): string | undefined {
  if (capability !== 'http.fetch' || node.type !== 'MemberExpression') return undefined;
  const parent = script.parentOf(node);
  const call = parent?.type === 'ChainExpression' ? script.parentOf(parent) : parent;
  if (call?.type !== 'CallExpression' || bare(call.callee) !== node) return undefined;
  const url = argumentOf(call, 0);
  const text = url && (script.textOf(url) ?? beginningOf(bare(url), script));
  return text === undefined ? undefined : /^(https?:\/\/[^/?#\s]+)(?=[/?#]|$)/i.exec(text)?.[1]?.toLowerCase();
}

/** The constant beginning of a text, with a slash where the origin has ended before anything else comes. */
function beginningOf(node: AnyNode, script: Script): string | undefined {
  if (node.type === 'TemplateLiteral') return /^https?:\/\/[^/]+\/.*/.exec(node.quasis[0]?.value.cooked ?? '')?.[0];
  if (node.type !== 'BinaryExpression' || node.operator !== '+') return undefined;
  let left: AnyNode = node;
  while (left.type === 'BinaryExpression' && left.operator === '+') left = bare(left.left);
  return /^https?:\/\/[^/]+\/.*/.exec(script.textOf(left) ?? '')?.[0];
}

/** The words of a script: `reached` are members and keys of patterns, by which it gets at things; `written` are the keys of what it makes. */
export interface Words {
  readonly reached: ReadonlySet<string>;
  readonly written: ReadonlySet<string>;
  /** Something of `ctx` is asked for by a name made at run time: it may be anything. */
  readonly isOpen: boolean;
}

export function wordsOf(script: Script): Words {
  const reached = new Set<string>();
  const written = new Set<string>();
  for (const node of script.nodes) {
    const name = node.type === 'MemberExpression' ? memberName(node, script) : keyName(node, script);
    if (name === undefined) continue;
    const isMade = node.type === 'Property' && script.parentOf(node)?.type === 'ObjectExpression';
    (isMade ? written : reached).add(name);
  }
  return { reached, written, isOpen: hiddenUses(script).length > 0 };
}

/** Whether the script has, anywhere, what a use of the capability cannot do without. Generous: a name is enough. */
export function mayUse(capability: CapabilityName, { reached, written, isOpen }: Words): boolean {
  if (isOpen) return true;
  switch (capability) {
    case 'http.fetch':
      return reached.has('http') || written.has('request');
    case 'kv':
      return reached.has('kv');
    case 'message.send':
      return reached.has('message') && reached.has('send');
    case 'message.read':
      return reached.has('message') && reached.has('list');
    case 'tool.call':
      return reached.has('tool');
    case 'secret.use':
      return written.has('secrets') || reached.has('secrets');
    case 'ui':
      return true;
    default:
      return capability satisfies never;
  }
}
