// What one /openapi.json takes away from another: the promise of docs/api.md, as a function. check-api.ts holds the host against its last release by it.

type Json = Readonly<Record<string, unknown>>;

/** Whoever sends what a schema describes, or reads it. */
type Side = 'request' | 'answer';

/** Those that hold from above and from below, with what stands for none. */
const BOUNDS: readonly (readonly [name: string, isUpper: boolean, none: number])[] = [
  ...['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'].map((name) => [name, true, Infinity] as const),
  ...['minimum', 'exclusiveMinimum'].map((name) => [name, false, -Infinity] as const),
  ...['minLength', 'minItems', 'minProperties'].map((name) => [name, false, 0] as const),
];
/** Each says something of a value by itself: two that differ cannot be compared. */
const RULES = ['pattern', 'format', 'multipleOf', 'uniqueItems', 'contentEncoding', 'contentMediaType'];
/** Schemas of what a value holds. */
const PARTS = ['items', 'additionalProperties', 'contentSchema'];

/**
 * Everything a client of `before` would miss in `now`, one line each. What was announced to go (`x-sunset` on an operation, a parameter or a member, `x-sunset-values` beside an `enum`) may be gone
 * after that day; `today` is `2027-01-15`.
 */
export function breaksBetween(before: Json, now: Json, today: string): string[] {
  const found: string[] = [];
  /** Pairs being compared: a schema may hold itself. */
  const underWay = new Set<string>();
  const isOver = (element: unknown) => hasPassed(recordOf(element)['x-sunset'], today);

  for (const [path, item] of Object.entries(recordOf(before['paths']))) {
    for (const [method, operation] of Object.entries(recordOf(item)).filter(([key]) => key !== 'parameters')) {
      const was = recordOf(operation);
      const is = recordOf(recordOf(recordOf(now['paths'])[path])[method]);
      const where = `${method.toUpperCase()} ${path}`;
      if (Object.keys(is).length === 0) {
        if (!isOver(was)) found.push(`${where} is gone`);
      } else operations(where, was, is);
    }
  }
  return found;

  function operations(where: string, was: Json, is: Json): void {
    if (was['operationId'] !== is['operationId']) found.push(`${where} was called ${String(was['operationId'])} and is called ${String(is['operationId'])}`);
    if (JSON.stringify(was['security']) !== JSON.stringify(is['security'])) found.push(`${where} needs another scope`);
    parameters(where, listOf(was['parameters']), listOf(is['parameters']));
    const [bodyWas, bodyIs] = [recordOf(was['requestBody']), recordOf(is['requestBody'])];
    if (bodyIs['required'] === true && bodyWas['required'] !== true) found.push(`${where} needs a body`);
    contents(`${where} body`, bodyWas, bodyIs, 'request');
    for (const [status, response] of Object.entries(recordOf(was['responses'])).filter(([each]) => each.startsWith('2'))) {
      const answer = recordOf(recordOf(is['responses'])[status]);
      if (Object.keys(answer).length === 0) found.push(`${where} does not answer ${status} any more`);
      else contents(`${where} ${status}`, recordOf(response), answer, 'answer');
    }
  }

  function parameters(where: string, was: readonly Json[], is: readonly Json[]): void {
    const like = ({ name, in: place }: Json) => (other: Json) => other['name'] === name && other['in'] === place;
    for (const parameter of was) {
      const left = is.find(like(parameter));
      if (left) schemas(`${where} ?${String(parameter['name'])}`, recordOf(parameter['schema']), recordOf(left['schema']), 'request');
      else if (!isOver(parameter) && !isOver(parameter['schema'])) found.push(`${where} does not take ?${String(parameter['name'])} any more`);
    }
    for (const parameter of is) if (parameter['required'] === true && was.find(like(parameter))?.['required'] !== true) found.push(`${where} needs ?${String(parameter['name'])}`);
  }

  function contents(where: string, was: Json, is: Json, side: Side): void {
    for (const [type, content] of Object.entries(recordOf(was['content']))) {
      const left = recordOf(is['content'])[type];
      if (left === undefined) found.push(`${where} is not ${type} any more`);
      else schemas(where, recordOf(recordOf(content)['schema']), recordOf(recordOf(left)['schema']), side);
    }
  }

  function schemas(where: string, wasHere: Json, isHere: Json, side: Side): void {
    const pair = JSON.stringify([wasHere, isHere, side]);
    if (underWay.has(pair)) return;
    underWay.add(pair);
    const [was, is] = [resolved(before, wasHere), resolved(now, isHere)];
    if (was['type'] !== is['type']) found.push(`${where} was ${kindOf(was)} and is ${kindOf(is)}`);
    const [hadWords, hasWords] = [onlyWords(was), onlyWords(is)];
    for (const word of hadWords ?? []) {
      const isGone = hasWords !== undefined && !hasWords.includes(word);
      if (isGone && !hasPassed(recordOf(was['x-sunset-values'])[word], today)) found.push(`${where} is never '${word}' any more`);
    }
    if (side === 'request' && hadWords === undefined && hasWords !== undefined) found.push(`${where} takes only some words now`);
    limits(where, was, is, side);
    members(where, was, is, side);
    parts(where, was, is, side);
    variants(where, listOf(was['anyOf']), listOf(is['anyOf']), side);
    underWay.delete(pair);
  }

  /** Whoever sends must not be held to more than before; whoever reads must not be promised less. */
  function limits(where: string, was: Json, is: Json, side: Side): void {
    for (const [name, isUpper, none] of BOUNDS) {
      const [had, has] = [was, is].map((schema) => Number(schema[name] ?? none)) as [number, number]; // oxlint-disable-line typescript/no-unsafe-type-assertion
      const [more, less] = side === 'request' ? [had, has] : [has, had];
      if (isUpper ? less < more : less > more) found.push(`${where} had ${said(name, was)} and has ${said(name, is)}`);
    }
    for (const name of RULES) {
      const binding = (side === 'request' ? is : was)[name] ?? false;
      if (binding !== false && was[name] !== is[name]) found.push(`${where} had ${said(name, was)} and has ${said(name, is)}`);
    }
  }

  function parts(where: string, was: Json, is: Json, side: Side): void {
    for (const part of PARTS) {
      const [isKnown, isKnownNow] = [was[part] instanceof Object, is[part] instanceof Object];
      if (isKnown && isKnownNow) schemas(`${where}[]`, recordOf(was[part]), recordOf(is[part]), side);
      else if (side === 'answer' && isKnown && is[part] !== false) found.push(`${where}[] may be anything now`);
      else if (side === 'request' && isKnownNow && was[part] !== false) found.push(`${where}[] was anything and is ${kindOf(resolved(now, recordOf(is[part])))}`);
    }
    // A reader skips members that it does not know; whoever sends them is refused.
    if (side === 'request' && is['additionalProperties'] === false && was['additionalProperties'] !== false) found.push(`${where} takes no other members any more`);
  }

  function members(where: string, was: Json, is: Json, side: Side): void {
    const [had, has] = [recordOf(was['properties']), recordOf(is['properties'])];
    const [hadToHave, mustHave] = [wordsOf(was['required']), wordsOf(is['required'])];
    for (const [name, schema] of Object.entries(had)) {
      if (has[name] !== undefined) schemas(`${where} ${name}`, recordOf(schema), recordOf(has[name]), side);
      else if (!isOver(schema)) found.push(`${where} has no '${name}' any more`);
      if (side === 'answer' && has[name] !== undefined && hadToHave.includes(name) && !mustHave.includes(name)) found.push(`${where} may come without '${name}'`);
    }
    if (side === 'request') for (const name of mustHave) if (!hadToHave.includes(name)) found.push(`${where} needs '${name}'`);
  }

  /** Each of them must still be there; which it is now is the one with the fewest breaks. */
  function variants(where: string, was: readonly Json[], is: readonly Json[], side: Side): void {
    for (const variant of was) {
      const tries = is.map((each) => {
        const from = found.length;
        schemas(where, variant, each, side);
        return found.splice(from);
      });
      const best = tries.toSorted((a, b) => a.length - b.length)[0];
      if (is.length > 0) found.push(...(best ?? []));
    }
  }
}

function resolved(document: Json, schema: Json): Json {
  const name = typeof schema['$ref'] === 'string' ? schema['$ref'].split('/').at(-1) : undefined;
  return name === undefined ? schema : recordOf(recordOf(recordOf(document['components'])['schemas'])[name]);
}

const recordOf = (value: unknown): Json => ({ ...Object(value) });
const listOf = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.map(recordOf) : []);
const wordsOf = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : []);
/** All that it can be, where that is a list; `const` is a list of one. */
const onlyWords = (schema: Json): readonly string[] | undefined => ('const' in schema ? [String(schema['const'])] : schema['enum'] === undefined ? undefined : wordsOf(schema['enum']));
const said = (name: string, { [name]: value }: Json): string => (value === undefined ? `no ${name}` : `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`);
const kindOf = ({ type }: Json): string => (typeof type === 'string' ? type : 'of several kinds');
const hasPassed = (day: unknown, today: string): boolean => typeof day === 'string' && day < today;
