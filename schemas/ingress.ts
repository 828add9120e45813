// How a request proves where it comes from: the ingress routes of a channel's manifest and the schemes the host checks them by, on the raw bytes.
import { Type, type Static } from 'typebox';
import { closed, oneOf, text, whole } from './closed.ts';
import { SecretHandle } from './ids.ts';

const HeaderName = Type.String({ pattern: '^[a-z][a-z0-9-]{0,99}$', description: 'lower case, as the host sees it' });

/** Where a proof stands: in a header, behind a prefix. With a `separator` the header is a list, and every item with the prefix counts. */
const place = {
  header: HeaderName,
  prefix: Type.Optional(text(100)),
  separator: Type.Optional(oneOf(',', ';', ' ')),
};

const encoding = oneOf('hex', 'base64');

/** When the request was signed. It proves something only as part of what is signed, so `over` must name it. */
export const SignedTime = closed({
  ...place,
  format: Type.Optional(Type.Unsafe<'seconds' | 'milliseconds' | 'rfc3339'>(Type.String({ enum: ['seconds', 'milliseconds', 'rfc3339'], default: 'seconds' }))),
  toleranceSeconds: whole(1, 3600, { description: 'How far it may be from the host’s clock, either way.' }),
  replay: Type.Optional(Type.Unsafe<'refuse' | 'allow'>(Type.String({ enum: ['refuse', 'allow'], default: 'refuse', description: 'What becomes of a request that was seen before within the tolerance.' }))),
});
export type SignedTime = Static<typeof SignedTime>;

/** What is signed: literal text and `{body}`, `{target}` (as sent), `{method}`, `{timestamp}`, `{header:<name>}`. It holds `{body}` or `{target}`, or it would say nothing of the request. */
const Template = Type.String({
  pattern: '^([^{}]|\\{(method|timestamp|header:[a-z][a-z0-9-]{0,99})\\})*\\{(body|target)\\}([^{}]|\\{(body|target|method|timestamp|header:[a-z][a-z0-9-]{0,99})\\})*$',
  maxLength: 300,
  description: "literal text and, in braces, 'body', 'target', 'method', 'timestamp' or 'header:' and a name; 'body' or 'target' is among them",
});

/** Of its own, so that packages that were signed before there were others mean what they meant. */
const HmacSha256 = closed({ scheme: Type.Literal('hmac-sha256'), secret: SecretHandle, header: HeaderName, prefix: Type.Optional(text(100)), over: oneOf('body', 'target') });

export const HmacScheme = closed({
  scheme: Type.Literal('hmac'),
  algorithm: oneOf('sha1', 'sha256', 'sha512'),
  encoding,
  secret: SecretHandle,
  secretEncoding: Type.Optional(Type.Unsafe<'utf8' | 'hex' | 'base64'>(Type.String({ enum: ['utf8', 'hex', 'base64'], default: 'utf8', description: 'How the operator writes the key down.' }))),
  ...place,
  over: Template,
  timestamp: Type.Optional(SignedTime),
});
export type HmacScheme = Static<typeof HmacScheme>;

export const Ed25519Scheme = closed({
  scheme: Type.Literal('ed25519'),
  publicKey: SecretHandle,
  encoding,
  ...place,
  over: Template,
  timestamp: Type.Optional(SignedTime),
});
export type Ed25519Scheme = Static<typeof Ed25519Scheme>;

/** A secret that both sides know, sent along. It says nothing of the request: whoever reads one can write others. */
const TokenScheme = closed({ scheme: Type.Literal('token'), secret: SecretHandle, header: HeaderName, prefix: Type.Optional(text(100)) });

const NoScheme = closed({ scheme: Type.Literal('none') });

export const IngressVerification = Type.Union([HmacSha256, HmacScheme, Ed25519Scheme, TokenScheme, NoScheme]);
export type IngressVerification = Static<typeof IngressVerification>;

export const IngressRoute = closed({
  method: oneOf('GET', 'POST', 'PUT', 'DELETE'),
  path: Type.String({ pattern: '^/[A-Za-z0-9_.:/-]*$', maxLength: 200, description: 'Below /channels/<instance>; `:name` matches one segment.' }),
  bodyLimitBytes: Type.Optional(whole(0, 16 * 1024 * 1024)),
  verify: IngressVerification,
  sender: Type.Optional(
    Type.Unsafe<'verified' | 'claimed'>(Type.String({ enum: ['verified', 'claimed'], default: 'claimed', description: 'Whether whoever signs has authenticated the sender that the request names (a messaging service has), or only says so (a relay may).' })),
  ),
});
export type IngressRoute = Static<typeof IngressRoute>;

/** The secret the scheme is checked with; undefined where nothing is checked. */
export function handleOf(verify: IngressVerification): string | undefined {
  if (verify.scheme === 'none') return undefined;
  return verify.scheme === 'ed25519' ? verify.publicKey : verify.secret;
}
