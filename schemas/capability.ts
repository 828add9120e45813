// Capabilities a manifest asks for and the grants an operator gives: the same closed shapes, every power quantified.
import { Type, type Static } from 'typebox';
import { closed, oneOf, text, whole } from './closed.ts';
import { HttpsOrigin, InstanceName, SecretHandle, ToolAddress } from './ids.ts';

/** An origin, or a JSON pointer into the enablement's `config` that the operator fills in; unset, the grant is inert. */
export const OriginOrConfig = Type.Union([
  HttpsOrigin,
  closed({ config: Type.String({ pattern: '^(/[^/]{1,64}){1,8}$', maxLength: 200, description: 'a pointer into the config, as /replyUrl' }) }),
]);

const reason = Type.Optional(text(500, { description: 'Why the plugin needs it, in plain language, for operator and reviewer.' }));
const perMinute = Type.Optional(whole(1, 1_000_000));

export const HttpFetchCapability = closed({
  name: Type.Literal('http.fetch'),
  origins: Type.Array(OriginOrConfig, { minItems: 1, maxItems: 32 }),
  methods: Type.Array(oneOf('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'), { minItems: 1, maxItems: 6, uniqueItems: true }),
  quota: Type.Optional(closed({ perMinute, bytesPerDay: Type.Optional(whole(1, 1e12)) })),
  reason,
});

export const KvCapability = closed({ name: Type.Literal('kv'), quotaBytes: whole(1, 1024 * 1024 * 1024), reason });

/** A field name as RFC 9110 spells it. Which ones a secret may not go into is a rule of the manifest. */
const headerName = Type.String({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$", maxLength: 100 });
const headerPrefix = Type.Optional(Type.String({ pattern: '^[ -~]*$', maxLength: 100 }));

export const SecretUseCapability = closed({
  name: Type.Literal('secret.use'),
  handle: SecretHandle,
  audience: OriginOrConfig,
  inject: Type.Union([
    closed({ header: headerName, prefix: headerPrefix }),
    closed({
      hmac: closed({
        algorithm: Type.Literal('sha256'),
        header: headerName,
        prefix: headerPrefix,
        over: oneOf('body', 'target'),
      }),
    }),
  ]),
  reason,
});

export const MessageSendCapability = closed({
  name: Type.Literal('message.send'),
  instances: Type.Array(InstanceName, { minItems: 1, maxItems: 64, uniqueItems: true }),
  quota: Type.Optional(closed({ perMinute })),
  reason,
});

export const MessageReadCapability = closed({ name: Type.Literal('message.read'), conversations: Type.Literal('own'), reason });

export const ToolCallCapability = closed({
  name: Type.Literal('tool.call'),
  tools: Type.Array(ToolAddress, { minItems: 1, maxItems: 64, uniqueItems: true }),
  quota: Type.Optional(closed({ perMinute })),
  reason,
});

/** Lets a channel's pages run as part of the host's own origin. First-party webchat only; anyone else's request is refused. */
export const UiCapability = closed({ name: Type.Literal('ui'), reason });

export const Capability = Type.Union([
  HttpFetchCapability,
  KvCapability,
  SecretUseCapability,
  MessageSendCapability,
  MessageReadCapability,
  ToolCallCapability,
  UiCapability,
]);
export type Capability = Static<typeof Capability>;
export type CapabilityName = Capability['name'];
export type CapabilityOf<N extends CapabilityName> = Extract<Capability, { name: N }>;

/** What the operator gave: the same shape as asked for, with the same or narrower bounds. */
export const Grant = Capability;
export type Grant = Static<typeof Grant>;
