// `plugin.json`: what the author claims and asks for.
import { Type, type Static } from 'typebox';
import { ABILITIES } from './abilities.ts';
import { LIMITS } from './bounds.ts';
import { Capability } from './capability.ts';
import { closed, oneOf, text, whole } from './closed.ts';
import { CommandName, PluginId, Publisher, ToolName, Version, VersionRange } from './ids.ts';
import { Dialect } from './dialects.ts';
import { IngressRoute } from './ingress.ts';
import { TextLimits } from './text-limits.ts';

/** The plugin API this host offers; a manifest's `hostApi` range is held against it. */
export const HOST_API_VERSION = '1.1.0';

export const PluginKind = oneOf('channel', 'skill', 'moderation', 'tool');
export type PluginKind = Static<typeof PluginKind>;

const limit = (name: keyof typeof LIMITS) =>
  Type.Optional(whole(LIMITS[name].least, LIMITS[name].most, { default: LIMITS[name].default }));

export const Limits = closed({
  heapMb: limit('heapMb'),
  cpuMsPerCall: limit('cpuMsPerCall'),
  wallMsPerCall: limit('wallMsPerCall'),
  concurrency: limit('concurrency'),
});
export type Limits = Static<typeof Limits>;

/** Every limit, as it holds. */
export const EffectiveLimits = Type.Required(Limits);

/** A JSON Schema (2020-12) kept as data; compiled by ajv in strict mode where it is used. */
export const EmbeddedSchema = Type.Record(Type.String({ maxLength: 100 }), Type.Unknown());

export const ChannelSection = closed({
  abilities: Type.Array(oneOf(...ABILITIES), { maxItems: ABILITIES.length, uniqueItems: true, description: 'Its handlers, by name; what a sandbox registers is held against them.' }),
  text: Type.Optional(Type.Unsafe<Dialect>({ ...Dialect, default: 'plain', description: 'The markup of its texts: what the host makes safe, and `send` may pass on as it is.' })),
  limits: Type.Optional(TextLimits),
  ingress: Type.Array(IngressRoute, { maxItems: 32 }),
  assets: Type.Optional(closed({ path: Type.String({ pattern: '^/[A-Za-z0-9_./-]*$', maxLength: 200 }), dir: Type.String({ pattern: '^assets(/[A-Za-z0-9_.-]+)*$', maxLength: 200 }) })),
  socket: Type.Optional(
    closed({
      path: Type.String({ pattern: '^/[A-Za-z0-9_./-]*$', maxLength: 200 }),
      conversation: closed({ query: Type.String({ pattern: '^[a-z][a-z0-9-]{0,39}$' }) }),
      origin: oneOf('same', 'any'),
      maxFrameBytes: whole(1, 1024 * 1024),
    }),
  ),
});
export type ChannelSection = Static<typeof ChannelSection>;

/** Commands that the host answers itself; a skill that names one of them does not get it. */
export const HOST_COMMAND_NAMES = ['help', 'status', 'reset', 'queue', 'stop'] as const;
export type HostCommandName = (typeof HOST_COMMAND_NAMES)[number];

/** A command of a skill, as `/help` shows it. */
export const CommandDeclaration = closed({
  name: CommandName,
  description: text(200, { minLength: 1 }),
  usage: Type.Optional(text(100, { minLength: 1, description: 'What follows the name, such as <zone>.' })),
  permission: Type.Optional(Type.Unsafe<'everyone' | 'owners'>(Type.String({ enum: ['everyone', 'owners'], default: 'everyone' }))),
});
export type CommandDeclaration = Static<typeof CommandDeclaration>;

export const SkillSection = closed({
  triggers: Type.Optional(
    closed({
      prefixes: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 100 }), { maxItems: 64 })),
      commands: Type.Optional(Type.Array(Type.Union([CommandName, CommandDeclaration]), { maxItems: 64 })),
      always: Type.Optional(Type.Boolean()),
    }),
  ),
});
export type SkillSection = Static<typeof SkillSection>;

export const ModerationPhase = oneOf('validation', 'authorization', 'policy', 'telemetry');
export const ModerationSection = closed({
  mode: oneOf('gate', 'observer'),
  phase: ModerationPhase,
  directions: Type.Array(oneOf('inbound', 'outbound'), { minItems: 1, maxItems: 2, uniqueItems: true }),
});
export type ModerationSection = Static<typeof ModerationSection>;

export const ToolDeclaration = closed({
  name: ToolName,
  description: text(2000),
  inputSchema: EmbeddedSchema,
  outputSchema: EmbeddedSchema,
  effects: oneOf('read', 'write'),
  idempotent: Type.Boolean(),
});
export type ToolDeclaration = Static<typeof ToolDeclaration>;

export const PluginManifest = closed(
  {
    $schema: Type.Optional(text(300)),
    manifestVersion: Type.Literal(1),
    id: PluginId,
    publisher: Publisher,
    version: Version,
    kind: PluginKind,
    displayName: text(100, { minLength: 1 }),
    description: text(1000),
    license: text(100, { minLength: 1 }),
    repository: Type.Optional(text(300)),
    securityContact: Type.Optional(text(300)),
    hostApi: VersionRange,
    capabilities: Type.Optional(Type.Array(Capability, { maxItems: 64, default: [] })),
    limits: Type.Optional(Limits),
    config: Type.Optional(EmbeddedSchema),
    requires: Type.Optional(
      Type.Array(closed({ id: PluginId, range: VersionRange, optional: Type.Optional(Type.Boolean()) }), { maxItems: 32 }),
    ),
    channel: Type.Optional(ChannelSection),
    skill: Type.Optional(SkillSection),
    moderation: Type.Optional(ModerationSection),
    tools: Type.Optional(Type.Array(ToolDeclaration, { minItems: 1, maxItems: 64 })),
  },
  { title: 'Gatehouse plugin manifest' },
);
export type PluginManifest = Static<typeof PluginManifest>;
