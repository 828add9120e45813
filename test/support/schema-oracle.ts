// A second opinion on the part of JSON Schema that plugins may use: small, slow, and of no library.
import { isDeepStrictEqual } from 'node:util';

type Schema = boolean | Readonly<Record<string, unknown>>;
type Formats = Readonly<Record<string, (text: string) => boolean>>;

/** Whether the value fits, by draft 2020-12 read literally. */
export function fits(schema: Schema, value: unknown, formats: Formats, root: Schema = schema): boolean {
  if (typeof schema === 'boolean') return schema;
  const inside = (each: unknown, item: unknown) => fits(each as Schema, item, formats, root);
  return Object.entries(schema).every(([keyword, argument]) => {
    const list = Array.isArray(value) ? value : undefined;
    const record = typeof value === 'object' && value !== null && !list ? Object.entries(value) : undefined;
    const text = typeof value === 'string' ? value : undefined;
    const number = typeof value === 'number' ? value : undefined;
    const amount = typeof argument === 'number' ? argument : Number.NaN;
    switch (keyword) {
      case 'type':
        return [argument].flat().some((type) => type === typeOf(value) || (type === 'number' && number !== undefined));
      case 'const':
        return isDeepStrictEqual(value, argument);
      case 'enum':
        return (argument as unknown[]).some((each) => isDeepStrictEqual(value, each));
      case 'minLength':
        return text === undefined || Array.from(text).length >= amount;
      case 'maxLength':
        return text === undefined || Array.from(text).length <= amount;
      case 'format':
        return text === undefined || formats[String(argument)]?.(text) === true;
      case 'minimum':
        return number === undefined || number >= amount;
      case 'maximum':
        return number === undefined || number <= amount;
      case 'exclusiveMinimum':
        return number === undefined || number > amount;
      case 'exclusiveMaximum':
        return number === undefined || number < amount;
      case 'multipleOf':
        return number === undefined || Number.isInteger(number / amount);
      case 'properties':
        return !record || record.every(([key, each]) => !Object.hasOwn(argument as object, key) || inside((argument as Record<string, unknown>)[key], each));
      case 'additionalProperties':
        return !record || record.every(([key, each]) => Object.hasOwn(schema['properties'] ?? {}, key) || inside(argument, each));
      case 'propertyNames':
        return !record || record.every(([key]) => inside(argument, key));
      case 'required':
        return !record || (argument as string[]).every((key) => Object.hasOwn(value as object, key));
      case 'minProperties':
        return !record || record.length >= amount;
      case 'maxProperties':
        return !record || record.length <= amount;
      case 'prefixItems':
        return !list || (argument as unknown[]).every((each, index) => index >= list.length || inside(each, list[index]));
      case 'items':
        return !list || list.slice(((schema['prefixItems'] ?? []) as unknown[]).length).every((each) => inside(argument, each));
      case 'minItems':
        return !list || list.length >= amount;
      case 'maxItems':
        return !list || list.length <= amount;
      case 'uniqueItems':
        return !list || argument !== true || list.every((each, index) => !list.slice(0, index).some((other) => isDeepStrictEqual(each, other)));
      case 'anyOf':
        return (argument as unknown[]).some((each) => inside(each, value));
      case 'oneOf':
        return (argument as unknown[]).filter((each) => inside(each, value)).length === 1;
      case 'allOf':
        return (argument as unknown[]).every((each) => inside(each, value));
      case 'not':
        return !inside(argument, value);
      case '$ref':
        return inside((root as { readonly $defs: Record<string, unknown> }).$defs[String(argument).slice('#/$defs/'.length)], value);
      default:
        return true; // says something to people
    }
  });
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}
