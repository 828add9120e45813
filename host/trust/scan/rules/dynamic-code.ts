// Code made from text while the plugin runs: what was signed and reviewed is then not what runs. The sandbox refuses all of it, so that no honest plugin needs it.
import type { ContentRule, Sighting } from '../finding.ts';
import { argumentOf, bare, isDisguised, keyName, memberName, type AnyNode, type Script } from '../script.ts';

export const dynamicCode: ContentRule = {
  name: 'dynamic-code',
  *look({ script: read }) {
    const script: Named = { ...read, ...namesIn(read) };
    for (const node of script.nodes) {
      const seen = judge(node, script);
      if (seen) yield { outcome: seen.risk === 'low' ? 'note' : 'warn', risk: seen.risk, ...script.at(node.start), message: seen.message, fix: FIX };
    }
  },
};

const FIX = 'Have the author write the code out, or replace the library that does it; the sandbox runs only what was signed.';

/** By which code reaches its globals. */
const GLOBALS: ReadonlySet<string> = new Set(['globalThis', 'self', 'window', 'global', 'top', 'frames']);
const MAKERS: ReadonlySet<string> = new Set(['eval', 'Function', 'AsyncFunction', 'GeneratorFunction', 'AsyncGeneratorFunction']);
/** Functions of `ctx` itself. */
const CONTEXT_METHODS: ReadonlySet<string> = new Set(['sleep']);
const TIMERS: ReadonlySet<string> = new Set(['setTimeout', 'setInterval', 'setImmediate', 'execScript']);

/** A script with what its names always stand for. Scopes are not told apart: a name that is anything else somewhere, as the short names of a minifier are, is not among them. */
interface Named extends Script {
  /** Names of functions. */
  readonly functions: ReadonlySet<string>;
  /** Names of the global object, its own and those it is given. */
  readonly globals: ReadonlySet<string>;
}

function namesIn({ nodes, parentOf }: Script): Pick<Named, 'functions' | 'globals'> {
  const functions = new Set<string>();
  const globals = new Set(GLOBALS);
  const others = new Set<string>();
  for (const node of nodes) {
    if (node.type === 'FunctionDeclaration' && node.id) functions.add(node.id.name);
    if (node.type === 'Identifier' && isFilledElsewhere(node, parentOf)) others.add(node.name);
    const [name, value] = node.type === 'VariableDeclarator' ? [node.id, node.init] : node.type === 'AssignmentExpression' ? [node.left, node.right] : [];
    if (name?.type !== 'Identifier' || !value) continue;
    const given = bare(value);
    if (given.type === 'FunctionExpression' || given.type === 'ArrowFunctionExpression') functions.add(name.name);
    else if (given.type === 'Identifier' && globals.has(given.name)) globals.add(name.name);
    else others.add(name.name);
  }
  return {
    functions: new Set([...functions].filter((name) => !others.has(name) && !globals.has(name))),
    globals: new Set([...globals].filter((name) => GLOBALS.has(name) || (!others.has(name) && !functions.has(name)))),
  };
}

/** A parameter, a class, what a pattern or a loop or a catch fills. */
function isFilledElsewhere(node: AnyNode, parentOf: Script['parentOf']): boolean {
  const parent = parentOf(node);
  switch (parent?.type) {
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
      return parent.params.some((each) => each === node);
    case 'AssignmentPattern':
      return parent.left === node;
    case 'Property':
      return parent.value === node && parentOf(parent)?.type === 'ObjectPattern';
    case 'VariableDeclarator': {
      const loop = parentOf(parentOf(parent) ?? parent)?.type;
      return parent.id === node && (loop === 'ForOfStatement' || loop === 'ForInStatement');
    }
    case 'ClassDeclaration':
    case 'CatchClause':
    case 'RestElement':
    case 'ArrayPattern':
      return true;
    default:
      return false;
  }
}

type Judgement = Pick<Sighting, 'risk' | 'message'> | undefined;

function judge(node: AnyNode, script: Named): Judgement {
  switch (node.type) {
    case 'Identifier':
      return judgeName(node.name, node, script);
    case 'MemberExpression':
      return judgeMember(node, script);
    case 'ImportExpression':
      return { risk: 'high', message: 'It loads other code with import(): there is nothing to load in the sandbox, and what came from outside would not be what was signed.' };
    case 'CallExpression':
      return judgeCall(node, script);
    case 'Property':
      return judgeTaken(node, script);
    default:
      return undefined;
  }
}

function judgeName(name: string, node: AnyNode, script: Named): Judgement {
  if (name === 'WebAssembly' && isReference(node, script)) return ofWebAssembly(node, script);
  if (name !== 'eval' && name !== 'Function') return undefined;
  const parent = script.parentOf(node);
  if (!parent || !isReference(node, script)) return undefined;
  if (parent.type === 'UnaryExpression' && parent.operator === 'typeof') return undefined;
  if (name === 'eval') return { risk: 'high', message: 'It runs text as code with eval.' };
  if (parent.type === 'MemberExpression') return undefined; // `Function.prototype…` is judged as a member
  const isCalled = (parent.type === 'CallExpression' || parent.type === 'NewExpression') && parent.callee === node;
  if (isCalled) return ofFunction(parent.arguments, script);
  // Given to somebody, or another name for it. A comparison asks only what something is.
  const isCompared = parent.type === 'BinaryExpression';
  const isKept = parent.type === 'VariableDeclarator' || parent.type === 'AssignmentExpression' || parent.type === 'SequenceExpression';
  const isBuilt = parent.type === 'CallExpression' && isReflective(parent.callee, script);
  return !isCompared && (isKept || isBuilt) ? { risk: 'high', message: 'It keeps the Function constructor under another name, with which text becomes code.' } : undefined;
}

/** Asking whether there is any is what libraries do that go on without. */
function ofWebAssembly(node: AnyNode, script: Named): Judgement {
  const parent = script.parentOf(node);
  const isMade = parent?.type === 'MemberExpression' && parent.object === node && /^(?:Module|Instance|compile|instantiate)/.test(memberName(parent, script) ?? '');
  return isMade ? { risk: 'medium', message: 'It makes WebAssembly, whose code cannot be read here; the sandbox has none.' } : undefined;
}

/** Old libraries ask for the global object this way; nothing of it depends on anything. */
function ofFunction(given: readonly AnyNode[], script: Named): Judgement {
  const isGlobalObject = given.length === 1 && given[0] && /^\s*return this;?\s*$/.test(script.textOf(given[0]) ?? '');
  return isGlobalObject
    ? { risk: 'low', message: "It asks for the global object with Function('return this'), as old libraries do." }
    : { risk: 'high', message: 'It makes a function from text with the Function constructor.' };
}

function judgeMember(node: Extract<AnyNode, { type: 'MemberExpression' }>, script: Named): Judgement {
  const name = memberName(node, script);
  const object = bare(node.object);
  if (name === undefined) return judgeOpen(node, script);
  const ofGlobal = isGlobal(object, script);
  const disguise = node.computed && isDisguised(node.property, script) ? ', under a name that is put together so that nobody finds it' : '';
  if (MAKERS.has(name) && (ofGlobal || disguise !== '')) return { risk: 'high', message: `It reaches ${name} through the global object${disguise}: text becomes code with it.` };
  if (name !== 'constructor') return undefined;
  if (object.type === 'MemberExpression' && memberName(object, script) === 'constructor') return { risk: 'high', message: 'It reaches the Function constructor as the constructor of a constructor.' };
  if (object.type === 'Identifier' && object.name === 'Function') return { risk: 'high', message: 'It reaches the Function constructor through Function itself.' };
  if (isFunction(object, script)) return { risk: 'high', message: `It reaches the Function constructor through a function that is written for it${disguise}.` };
  const parent = script.parentOf(node);
  const isCall = (parent?.type === 'CallExpression' || parent?.type === 'NewExpression') && parent.callee === node && parent.arguments.length > 0;
  // Of an object it is a class of the plugin's own; of a method that ctx has, it is Function.
  const ofFunction = (object.type === 'Identifier' && script.functions.has(object.name)) || (object.type === 'MemberExpression' && parent?.type === 'CallExpression' && object.object.type === 'Identifier' && CONTEXT_METHODS.has(memberName(object, script) ?? ''));
  if (isCall && ofFunction) return { risk: 'high', message: `It calls for the constructor of a function, which is the Function constructor${disguise}.` };
  const isCalledWithText = (parent?.type === 'CallExpression' || parent?.type === 'NewExpression') && parent.callee === node && parent.arguments.length > 0 && isLiteral(object);
  if (isCalledWithText || disguise !== '') return { risk: 'high', message: `It calls for the constructor of something in a way that leads to the Function constructor${disguise}.` };
  return undefined;
}

/** `globalThis[name](code)`: anything may be called so. Libraries ask for a class by name, and call none of it. */
function judgeOpen(node: Extract<AnyNode, { type: 'MemberExpression' }>, script: Named): Judgement {
  const object = bare(node.object);
  const parent = script.parentOf(node);
  const isCalled = parent?.type === 'CallExpression' && parent.callee === node && parent.arguments.length > 0;
  return isCalled && object.type === 'Identifier' && script.globals.has(object.name)
    ? { risk: 'medium', message: 'It calls something of the global object under a name that is made at run time: it may be eval.' }
    : undefined;
}

/** `const { constructor } = …`, `const { eval: run } = globalThis`. */
function judgeTaken(node: AnyNode, script: Named): Judgement {
  const pattern = script.parentOf(node);
  if (pattern?.type !== 'ObjectPattern') return undefined;
  const name = keyName(node, script) ?? '';
  if (name === 'constructor') return { risk: 'high', message: 'It takes `constructor` out of an object by destructuring, a way to the Function constructor that does not look like one.' };
  const holder = script.parentOf(pattern);
  const source = holder?.type === 'VariableDeclarator' ? holder.init : holder?.type === 'AssignmentExpression' ? holder.right : undefined;
  return MAKERS.has(name) && source && isGlobal(source, script) ? { risk: 'high', message: `It takes ${name} out of the global object: text becomes code with it.` } : undefined;
}

function isGlobal(given: AnyNode, { globals }: Named): boolean {
  const node = bare(given);
  return node.type === 'ThisExpression' || (node.type === 'Identifier' && globals.has(node.name));
}

function judgeCall(node: Extract<AnyNode, { type: 'CallExpression' }>, script: Named): Judgement {
  const callee = bare(node.callee);
  if (callee.type === 'Identifier' && TIMERS.has(callee.name)) {
    const first = argumentOf(node, 0);
    if (first && script.textOf(first) !== undefined && first.type !== 'Identifier') return { risk: 'medium', message: `It gives ${callee.name} a text to run as code.` };
  }
  if (callee.type === 'MemberExpression' && isReflective(callee, script)) {
    const [target, key] = [argumentOf(node, 0), argumentOf(node, 1)];
    const name = key && script.textOf(key);
    if (target && name !== undefined && MAKERS.has(name) && isGlobal(target, script)) return { risk: 'high', message: `It asks Reflect or Object for ${name} of the global object: text becomes code with it.` };
    if (target && name === 'constructor') return { risk: 'high', message: 'It asks Reflect or Object for the `constructor` of something, a way to the Function constructor that does not look like one.' };
  }
  return undefined;
}

/** `Reflect.…`, or `Object.getOwnPropertyDescriptor` and its like. */
function isReflective(given: AnyNode, script: Named): boolean {
  const callee = bare(given);
  if (callee.type !== 'MemberExpression') return false;
  const object = bare(callee.object);
  if (object.type !== 'Identifier') return false;
  return object.name === 'Reflect' || (object.name === 'Object' && (memberName(callee, script) ?? '').startsWith('getOwnProperty'));
}

/** A function written on the spot, a method of a literal (`[].at`), or the prototype of either. */
function isFunction(given: AnyNode, script: Named): boolean {
  const node = bare(given);
  if (node.type === 'FunctionExpression' || node.type === 'ArrowFunctionExpression' || node.type === 'ClassExpression') return true;
  if (node.type === 'MemberExpression') {
    const name = memberName(node, script);
    const owner = bare(node.object);
    if (name === '__proto__' || name === 'prototype') return isFunction(owner, script) || (owner.type === 'Identifier' && owner.name === 'Function');
    return isLiteral(bare(node.object)) && name !== undefined && !/^\d+$/.test(name);
  }
  if (node.type !== 'CallExpression') return false;
  const callee = bare(node.callee);
  const first = argumentOf(node, 0);
  return callee.type === 'MemberExpression' && memberName(callee, script) === 'getPrototypeOf' && first !== undefined && isFunction(first, script);
}

const isLiteral = (node: AnyNode) => node.type === 'ArrayExpression' || node.type === 'Literal' || node.type === 'TemplateLiteral';

/** A use of a name, and not a key, a label, a member or a declaration. */
function isReference(node: AnyNode, script: Named): boolean {
  const parent = script.parentOf(node);
  if (!parent) return false;
  if (parent.type === 'MemberExpression') return parent.object === node || parent.computed;
  if (parent.type === 'Property') return parent.value === node && script.parentOf(parent)?.type !== 'ObjectPattern';
  if (parent.type === 'MethodDefinition' || parent.type === 'PropertyDefinition') return parent.key !== node || parent.computed;
  if (parent.type === 'VariableDeclarator') return parent.init === node;
  if (parent.type === 'FunctionDeclaration' || parent.type === 'FunctionExpression' || parent.type === 'ArrowFunctionExpression') return parent.body === node;
  if (parent.type === 'LabeledStatement' || parent.type === 'BreakStatement' || parent.type === 'ContinueStatement') return false;
  return true;
}
