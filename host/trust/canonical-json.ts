// JSON in the one form that everybody writes alike (RFC 8785, JCS), so that its digest speaks of the value. Used by grants-digest.ts and whatever else names JSON by digest.

/**
 * Keys in the order of their UTF-16 units, numbers as ECMAScript writes them, nothing between tokens; a key whose value is undefined is absent. Throws TypeError for what
 * JSON cannot say the same way everywhere: NaN, infinities, lone surrogates, undefined in an array, anything that is no plain data. Written here and not taken from a
 * library: RFC 8785 defines strings and numbers as what this language does, which leaves the sorting.
 */
export function canonicalJson(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return text(value);
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`${value} has no form in JSON`);
      return JSON.stringify(value);
    case 'boolean':
      return String(value);
    case 'object':
      if (value === null) return 'null';
      if (Array.isArray(value)) return `[${Array.from(value, canonicalJson).join(',')}]`;
      if (isPlain(value)) return `{${membersOf(value).join(',')}}`;
      throw new TypeError('an object of a class has no form in JSON');
    default:
      throw new TypeError(`${typeof value} has no form in JSON`);
  }
}

/** Default sorting compares UTF-16 units, as RFC 8785 §3.2.3 asks. */
function membersOf(object: Readonly<Record<string, unknown>>): string[] {
  const present = Object.keys(object).filter((key) => object[key] !== undefined).sort();
  return present.map((key) => `${text(key)}:${canonicalJson(object[key])}`);
}

/** Half a character would be written as an escape by one and replaced by another. */
function text(value: string): string {
  if (!value.isWellFormed()) throw new TypeError('a lone surrogate has no form in UTF-8');
  return JSON.stringify(value);
}

function isPlain(value: object): value is Readonly<Record<string, unknown>> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
