// `manifests/plugins/<name>.json`: which plugin runs, at which version, required or optional, and what it is granted.
import { Type, type Static } from 'typebox';
import { Grant } from './capability.ts';
import { closed, oneOf, text, whole } from './closed.ts';
import { Budgets } from './costs.ts';
import { Digest, InstanceName, PluginId, VersionRange } from './ids.ts';
import { Limits } from './plugin-manifest.ts';
import { AdmitPolicy, CommandsPolicy, GateMode, GatesPolicy, HealthPolicy, MediaPolicy, OutboundPolicy, QueuePolicy, Rooms, SessionPolicy } from './policy.ts';

/** Where a secret's value is read at start; never the value. A file loses one trailing newline. */
export const SecretReference = Type.Union([
  closed({ env: Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,199}$', description: 'the name of an environment variable' }) }),
  closed({ file: text(1000, { minLength: 1 }) }),
]);
export type SecretReference = Static<typeof SecretReference>;

export const Enablement = closed(
  {
    $schema: Type.Optional(text(300)),
    plugin: PluginId,
    version: Type.Optional(VersionRange),
    instance: Type.Optional(InstanceName),
    source: Type.Optional(text(500, { minLength: 1, description: 'A package, relative to the home directory.' })),
    digest: Type.Optional(Digest),
    required: Type.Optional(Type.Boolean({ default: false })),
    enabled: Type.Optional(Type.Boolean({ default: true })),
    order: Type.Optional(whole(-1_000_000, 1_000_000, { default: 100 })),
    allowRollback: Type.Optional(Type.Boolean({ default: false })),
    grants: Type.Optional(Type.Array(Grant, { maxItems: 64 })),
    config: Type.Optional(Type.Record(Type.String({ maxLength: 100 }), Type.Unknown())),
    secrets: Type.Optional(Type.Record(Type.String({ pattern: '^[a-z][a-z0-9-]{0,63}$' }), SecretReference, { additionalProperties: false })),
    limits: Type.Optional(Limits),
    budgets: Type.Optional(Budgets),
    admit: Type.Optional(AdmitPolicy),
    queue: Type.Optional(QueuePolicy),
    media: Type.Optional(MediaPolicy),
    commands: Type.Optional(CommandsPolicy),
    outbound: Type.Optional(OutboundPolicy),
    session: Type.Optional(SessionPolicy),
    gates: Type.Optional(GatesPolicy),
    health: Type.Optional(HealthPolicy),
    rooms: Type.Optional(Rooms),
    approvals: Type.Optional(whole(0, 16, { default: 0 })),
    hibernate: Type.Optional(Type.Boolean({ default: true, description: 'Optional skills and tools: whether the sandbox may be let go while idle.' })),
    onQuarantine: Type.Optional(oneOf('hold', 'bypass', 'exit')),
    onTimeout: Type.Optional(Type.Unsafe<'refuse' | 'pass-with-flag'>(Type.String({ enum: ['refuse', 'pass-with-flag'], default: 'refuse', description: 'Gates: what becomes of a message it gave no answer on in time.' }))),
    relaxTo: Type.Optional(Type.Unsafe<GateMode>({ ...GateMode, description: 'Gates: the weakest that a channel or a room may make of it. Default `enforce` for a required gate, else `skip`.' })),
  },
  { title: 'Gatehouse enablement' },
);
export type Enablement = Static<typeof Enablement>;
