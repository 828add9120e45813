// How a route says that it is to go: in the headers of each of its answers, for programs that nobody looks at. api.ts adds them, openapi/ shows the same; docs/api.md has the policy.

export interface Deprecation {
  /** The day it was announced, `2027-01-15`. */
  readonly since: string;
  /** The day after which it may be gone, at least half a year later. */
  readonly sunset: string;
  /** The path below /api/v1 that takes its place, with the same `:name` for parameters. */
  readonly instead: string;
}

/** RFC 9745 (`Deprecation`, `rel="deprecation"`), RFC 8594 (`Sunset`), RFC 5829 (`rel="successor-version"`). */
export function deprecationHeaders({ since, sunset, instead }: Deprecation, params: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const successor = `/api/v1${instead.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''))}`;
  return {
    deprecation: `@${Date.parse(since) / 1000}`,
    sunset: new Date(sunset).toUTCString(),
    link: `</docs>; rel="deprecation"; type="text/html", <${successor}>; rel="successor-version"`,
  };
}
