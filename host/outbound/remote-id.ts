// Finds in a remote's answer what the remote calls the message it has just taken. Called by actions.ts.

const LONGEST = 256;

/** `pointer` is a JSON Pointer (RFC 6901). Undefined when there is no text or number there, or no JSON: the message is sent all the same. */
export function remoteIdIn(body: string | undefined, pointer: string): string | undefined {
  const found = valueAt(parse(body), pointer);
  const id = typeof found === 'number' ? String(found) : found;
  return typeof id === 'string' && id !== '' && id.length <= LONGEST && id.isWellFormed() ? id : undefined;
}

function valueAt(document: unknown, pointer: string): unknown {
  let value = document;
  for (const token of pointer.split('/').slice(1)) {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = Reflect.get(value, name);
  }
  return value;
}

function parse(body: string | undefined): unknown {
  try {
    return JSON.parse(body ?? '');
  } catch {
    return undefined; // the remote names nothing
  }
}
