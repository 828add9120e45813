// The bytes a signature is over, from the template of the manifest and the request as it came. Called by the verify stage.

export interface SignedRequest {
  readonly method: string;
  /** The request target exactly as sent. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Literal text as it stands, each `{part}` as it came; undefined when a header the template names is not there. `timestamp` is its text, not its value: `007` and `7` are signed differently. */
export function signedParts(template: string, request: SignedRequest, timestamp: string | undefined): readonly (string | Buffer)[] | undefined {
  const parts: (string | Buffer)[] = [];
  for (const piece of template.split(/(\{[^}]*\})/)) {
    if (piece === '') continue;
    const part = piece.startsWith('{') ? partOf(piece.slice(1, -1), request, timestamp) : piece;
    if (part === undefined) return undefined;
    parts.push(part);
  }
  return parts;
}

function partOf(name: string, { method, target, headers, body }: SignedRequest, timestamp: string | undefined): string | Buffer | undefined {
  switch (name) {
    case 'body':
      return body;
    case 'target':
      return target;
    case 'method':
      return method;
    case 'timestamp':
      return timestamp;
    default: {
      const header = name.slice('header:'.length);
      return Object.hasOwn(headers, header) ? headers[header] : undefined;
    }
  }
}
