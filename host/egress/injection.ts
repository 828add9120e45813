// A secret that the host puts into requests for one audience. Made from grants and secrets for one call; egress.ts asks it at every hop, and nobody else sees its value.

export interface Injection {
  /** How plugin and operator call the secret. */
  readonly handle: string;
  /** The one origin it may go to. */
  readonly audience: string;
  /** The headers for one hop to the audience; `target` is path and query exactly as sent. */
  headersFor(hop: { readonly method: string; readonly target: string; readonly body: string }): Readonly<Record<string, string>>;
  /** Whether the text holds the secret in any encoding that is tried. */
  leaksIn(text: string): boolean;
}
