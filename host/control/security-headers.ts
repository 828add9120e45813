// Response headers that keep a browser from doing more with an answer than the host meant. Called by every route of the control plane.

/** For answers that are data: nothing in them runs, frames or is cached. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

/** A channel's pages share the host's origin, so they run in an opaque one: no cookies, no storage, no API of this host. */
const SANDBOXED = { 'content-security-policy': 'sandbox allow-scripts allow-forms', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' } as const;

/** A package granted `ui` runs in the host's own origin, and only with what came with it. */
const OWN_ORIGIN = {
  'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
} as const;

/** What a plugin must not say in the host's name: state in the browser, cross-origin permissions, how the connection is run, and the headers above. */
const REFUSED = new Set([
  'set-cookie', 'set-cookie2', 'clear-site-data', 'service-worker-allowed', 'content-security-policy', 'content-security-policy-report-only', 'x-content-type-options', 'referrer-policy',
  'strict-transport-security', 'public-key-pins', 'alt-svc', 'nel', 'report-to', 'reporting-endpoints', 'origin-agent-cluster', 'document-domain', 'refresh', 'sourcemap', 'x-sourcemap',
  'connection', 'keep-alive', 'proxy-authenticate', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'content-length', 'date', 'server', 'link',
]);
const REFUSED_PREFIXES = ['access-control-', 'cross-origin-', 'proxy-', 'sec-'];

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$/;
// Visible ASCII, space and tab: what every proxy on the way agrees about (RFC 9110 §5.5).
const HEADER_VALUE = /^[\t\x20-\x7e]{0,8192}$/;

/** A channel's own headers without the refused ones, then ours. */
export function channelHeaders(own: Readonly<Record<string, string>>, ui: boolean): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(own)) {
    const lower = name.toLowerCase();
    if (REFUSED.has(lower) || REFUSED_PREFIXES.some((prefix) => lower.startsWith(prefix))) continue;
    if (HEADER_NAME.test(lower) && HEADER_VALUE.test(value)) headers[lower] = value;
  }
  return Object.assign(headers, ui ? OWN_ORIGIN : SANDBOXED);
}
