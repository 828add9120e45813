// `network` of manifests/host.json: where the host listens, whom it believes about others, what a connection must show and may take. And the view of what it came to.
import { Type, type Static } from 'typebox';
import { closed, oneOf, text, whole } from './closed.ts';

export const BindMode = oneOf('loopback', 'lan', 'tailnet', 'auto', 'custom');
export type BindMode = Static<typeof BindMode>;

/** Null is what the profile says. */
const ofProfile = (minimum: number, maximum: number, description: string) => Type.Optional(Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum, maximum, default: null, description }));

const file = (description: string) => Type.Optional(text(1000, { default: '', description }));

const prefix = Type.String({ pattern: '^/[A-Za-z0-9._~/-]*$', maxLength: 200, description: 'a path, or the beginning of paths with its slash' });

export const NetworkSettings = closed(
  {
    bind: Type.Optional(Type.Unsafe<BindMode | null>({ type: ['string', 'null'], enum: ['loopback', 'lan', 'tailnet', 'auto', 'custom', null], default: null, description: 'Where to listen; null and `custom` are `listen` as it is written, every other takes only the port from there.' })),
    trustedProxies: Type.Optional(Type.Unsafe<readonly string[] | null>({ type: ['array', 'null'], items: { type: 'string', pattern: '^[0-9a-fA-F.:]{2,45}(/\\d{1,3})?$' }, maxItems: 64, default: null, description: 'Addresses and networks (CIDR) of proxies that are believed about whom they speak for; null: as the profile says.' })),
    forwarded: Type.Optional(Type.Unsafe<'x-forwarded' | 'rfc7239'>({ ...oneOf('x-forwarded', 'rfc7239'), default: 'x-forwarded', description: 'Which headers those proxies write: X-Forwarded-For, -Proto and -Host, or Forwarded of RFC 7239. The others are ignored.' })),
    funnel: Type.Optional(Type.Boolean({ default: false, description: 'A public tunnel to this machine ends at this host, as one of `tailscale funnel`.' })),
    exemptPrefixes: Type.Optional(Type.Array(prefix, { maxItems: 32, default: ['/channels/', '/media/'], description: 'Paths that need no token, because what answers there looks for itself who asks.' })),
    tls: Type.Optional(
      closed(
        {
          cert: file('Certificate with its chain, PEM, relative to the home; with it the host speaks TLS itself.'),
          key: file('Its private key, PEM, readable by the host alone.'),
          minVersion: Type.Optional(Type.Unsafe<'1.2' | '1.3'>({ ...oneOf('1.2', '1.3'), default: '1.2', description: 'The oldest TLS that is spoken.' })),
          hstsSeconds: ofProfile(0, 63_072_000, 'Strict-Transport-Security, where the host ends TLS; 0: not sent; null: as the profile says.'),
        },
        { default: {} },
      ),
    ),
    mtls: Type.Optional(
      closed(
        {
          mode: Type.Optional(Type.Unsafe<'off' | 'request' | 'require'>({ ...oneOf('off', 'request', 'require'), default: 'off', description: 'Whether peers must show a certificate, beside any token: `request` takes those without one, and refuses wrong ones.' })),
          ca: file('Whose certificates count, PEM.'),
          crl: file('Those that are taken back, as a certificate revocation list, PEM.'),
          for: Type.Optional(Type.Array(prefix, { minItems: 1, maxItems: 32, default: ['/'], description: 'Where: `/` is everywhere, and then decided in the handshake.' })),
        },
        { default: {} },
      ),
    ),
    cors: Type.Optional(
      closed(
        {
          origins: Type.Optional(Type.Array(Type.String({ pattern: '^(\\*|https?://[^\\s/?#@*]+)$', maxLength: 300 }), { maxItems: 32, default: [], description: 'Origins whose pages may read answers; none by default.' })),
          credentials: Type.Optional(Type.Boolean({ default: false, description: 'Whether their browsers may send cookies and client certificates along. Tokens need none of it.' })),
          maxAgeSeconds: Type.Optional(whole(0, 86_400, { default: 600, description: 'How long a browser remembers the answer to its preflight.' })),
        },
        { default: {} },
      ),
    ),
    limits: Type.Optional(
      closed(
        {
          inFlight: ofProfile(1, 100_000, 'Requests answered at once; beyond it 503 `OVERLOADED`. Health, event streams and WebSockets are not counted.'),
          perAddressPerSecond: ofProfile(0, 100_000, 'Requests of one address, five seconds’ worth at once; beyond it 429 `RATE_LIMITED`; 0: no limit; null: as the profile says.'),
          perTokenPerSecond: ofProfile(0, 100_000, 'The same for one token.'),
          bodyBytes: Type.Optional(whole(1024, 64 * 1024 * 1024, { default: 256 * 1024, description: 'Of a body of the API; a channel’s have the bound of its manifest.' })),
          headersMs: Type.Optional(whole(100, 120_000, { default: 10_000, description: 'From connecting until the headers are complete.' })),
          requestMs: Type.Optional(whole(100, 600_000, { default: 30_000, description: 'From the first byte until the body is complete.' })),
          answerMs: Type.Optional(whole(100, 600_000, { default: 60_000, description: 'Until the API has an answer; beyond it 503 `ANSWER_LATE`.' })),
        },
        { default: {} },
      ),
    ),
  },
  { default: {} },
);

/** With every default applied. */
export type NetworkSettings = Complete<Static<typeof NetworkSettings>>;

type Complete<T> = T extends readonly unknown[] | null | string | number | boolean ? T : { readonly [K in keyof T]-?: Complete<Exclude<T[K], undefined>> };

/** Where a value comes from, the strongest last. */
export const SettingSource = oneOf('default', 'profile', 'file', 'environment', 'flag');
export type SettingSource = Static<typeof SettingSource>;

/** `GET /api/v1/config/network` */
export const NetworkView = closed({
  address: text(300, { description: 'Where the host listens.' }),
  profile: text(20),
  public: Type.Boolean({ description: 'Whether others than this machine reach it: by its address, or through a tunnel.' }),
  values: Type.Array(closed({ path: text(100), value: Type.Unknown(), source: SettingSource }), { description: 'What holds, and who said so.' }),
  certificate: Type.Union([closed({ subject: text(1000), notBefore: text(40), notAfter: text(40), daysLeft: Type.Integer() }), Type.Null()], { description: 'Of TLS that the host ends itself.' }),
});
export type NetworkView = Static<typeof NetworkView>;
