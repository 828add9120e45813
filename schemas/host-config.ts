// `manifests/host.json`: the operator's settings. Every key has a default.
import { Type, type Static } from 'typebox';
import { BOUNDS } from './bounds.ts';
import { closed, oneOf, text, whole } from './closed.ts';
import { DiscoverySettings } from './discovery.ts';
import { NetworkSettings } from './network.ts';
import { CostSettings } from './costs.ts';
import { RetentionSettings } from './retention.ts';
import { TrustPolicy } from './trust-policy.ts';
import { DropPolicy, MEDIA_DEFAULTS, MediaPolicy, QUEUE_DEFAULTS, QueueMode, QueuePolicy, SessionPolicy } from './policy.ts';

export const Profile = oneOf('local', 'lan', 'gateway', 'internet');
export type Profile = Static<typeof Profile>;

/** What plugins may reach although it is not public, or not https; `address` pins the name to it. Grants are needed all the same. */
export const EgressException = closed({
  host: Type.String({ pattern: '^(\\[[0-9a-f:]+\\]|[a-z0-9_-]+(\\.[a-z0-9_-]+)*)$', maxLength: 253, description: 'As a URL has it: lower case, no trailing dot, IPv6 in brackets.' }),
  scheme: oneOf('http', 'https'),
  port: whole(1, 65_535),
  address: Type.Optional(Type.String({ pattern: '^[0-9a-fA-F.:]{2,45}$', description: 'An IP address: where the name leads, whatever DNS says.' })),
});

/** A setting of the policy block, with the default that everybody has. */
const ofMedia = <const K extends keyof MediaPolicy>(key: K) => Type.Optional(Type.Unsafe<Required<MediaPolicy>[K]>({ ...MediaPolicy.properties[key], default: MEDIA_DEFAULTS[key] }));

/** How messages flow through this host. A block that `schemas/policy.ts` has as well is the default of that block, for every channel; the others are about the whole. */
export const PipelineSettings = closed(
  {
    queue: Type.Optional(
      closed(
        {
          mode: Type.Optional(Type.Unsafe<QueueMode>({ ...QueueMode, default: QUEUE_DEFAULTS.mode })),
          debounceMs: Type.Optional({ ...QueuePolicy.properties.debounceMs, default: QUEUE_DEFAULTS.debounceMs }),
          cap: Type.Optional({ ...QueuePolicy.properties.cap, default: QUEUE_DEFAULTS.cap }),
          drop: Type.Optional(Type.Unsafe<DropPolicy>({ ...DropPolicy, default: QUEUE_DEFAULTS.drop })),
          maxAgeMs: Type.Optional({ ...QueuePolicy.properties.maxAgeMs, default: QUEUE_DEFAULTS.maxAgeMs }),
        },
        { default: {} },
      ),
    ),
    session: Type.Optional(SessionPolicy),
    media: Type.Optional(
      closed(
        {
          inbound: ofMedia('inbound'),
          onFailure: ofMedia('onFailure'),
          types: ofMedia('types'),
          maxBytes: ofMedia('maxBytes'),
          maxCount: ofMedia('maxCount'),
          quotaBytes: ofMedia('quotaBytes'),
          retentionDays: ofMedia('retentionDays'),
          outbound: ofMedia('outbound'),
        },
        { default: {} },
      ),
    ),
    files: Type.Optional(
      closed(
        {
          totalBytes: Type.Optional(whole(0, Number.MAX_SAFE_INTEGER, { default: BOUNDS.mediaTotalBytes, description: 'Of all files that are kept, whoever they came to.' })),
          url: Type.Optional(Type.String({ pattern: '^(https?://[^\\s/?#@]+)?$', maxLength: 300, default: '', description: 'an origin by which others reach this host, as https://chat.example.com, or nothing' })),
        },
        { default: {} },
      ),
    ),
    lanes: Type.Optional(
      closed(
        {
          runBudget: Type.Optional(whole(1, 4096, { default: BOUNDS.lanesInFlight, description: 'Lanes that are worked at once.' })),
          depth: Type.Optional(whole(1, BOUNDS.laneDepthMost, { default: BOUNDS.laneDepth, description: 'Messages in one lane: waiting, in work, and on their way in.' })),
          stuckAfterMs: Type.Optional(whole(1000, 24 * 3600 * 1000, { default: 600_000, description: 'A run that has made no step for so long is reported and ended.' })),
        },
        { default: {} },
      ),
    ),
    deadLetters: Type.Optional(
      closed(
        {
          retentionDays: Type.Optional(whole(1, 3650, { default: 30, description: 'Dead letters older than this are dropped.' })),
          most: Type.Optional(whole(1, 10_000_000, { default: 100_000, description: 'Beyond so many the oldest are dropped.' })),
        },
        { default: {} },
      ),
    ),
    pressure: Type.Optional(
      closed(
        {
          slow: Type.Optional(Type.Number({ minimum: 0.01, maximum: 1, default: 0.7, description: 'From this share of a queue on, answers to sources are delayed.' })),
          shed: Type.Optional(Type.Number({ minimum: 0.01, maximum: 1, default: 0.85, description: 'From this share on, messages of low priority are refused, then those of normal priority.' })),
          refuse: Type.Optional(Type.Number({ minimum: 0.01, maximum: 1, default: 0.95, description: 'From this share on, every message is refused.' })),
          messages: Type.Optional(whole(10, 2_000_000, { default: 200_000, description: 'Messages that may wait for their answers.' })),
          deliveries: Type.Optional(whole(10, 2_000_000, { default: 100_000, description: 'Replies that may wait for their delivery.' })),
        },
        { default: {} },
      ),
    ),
  },
  { default: {} },
);
export type PipelineSettings = Static<typeof PipelineSettings>;

/** One person by a name of the operator's choice: `<instance>:<sender id>` for each channel that person writes from. */
export const IdentityLinks = Type.Record(
  Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,63}$' }),
  Type.Array(Type.String({ pattern: '^[a-z][a-z0-9-]{0,63}:', minLength: 3, maxLength: 321, description: 'an instance, a colon and the id of a sender there, as webhook:ada' }), { minItems: 1, maxItems: 64 }),
  { maxProperties: 1000, additionalProperties: false, default: {} },
);
export type IdentityLinks = Static<typeof IdentityLinks>;

export const HostConfig = closed(
  {
    $schema: Type.Optional(text(300)),
    listen: Type.Optional(Type.String({ pattern: '^(\\[[0-9a-fA-F:.]+\\]|[^\\s:\\[\\]]+):\\d{1,5}$', maxLength: 300, default: '127.0.0.1:4280', description: 'HOST:PORT, an IPv6 address in brackets' })),
    hosts: Type.Optional(Type.Array(text(253, { minLength: 1 }), { maxItems: 64, default: [], description: 'Names, beside loopback and the listen address, that a request may carry in `Host`.' })),
    dataDir: Type.Optional(text(1000, { minLength: 1, default: 'data', description: 'Relative to the home directory.' })),
    profile: Type.Optional(Type.Unsafe<Profile>({ ...Profile, default: 'local' })),
    strict: Type.Optional(Type.Boolean({ default: false })),
    collision: Type.Optional(Type.Unsafe<'reject' | 'first' | 'last'>(Type.String({ enum: ['reject', 'first', 'last'], default: 'reject' }))),
    boot: Type.Optional(closed({ deadlineMs: Type.Optional(whole(100, 600_000, { default: 10_000 })) }, { default: {} })),
    egress: Type.Optional(closed({ allow: Type.Optional(Type.Array(EgressException, { maxItems: 256, default: [] })) }, { default: {} })),
    log: Type.Optional(closed({ level: Type.Optional(Type.Unsafe<'debug' | 'info' | 'warn' | 'error'>(Type.String({ enum: ['debug', 'info', 'warn', 'error'], default: 'info' }))) }, { default: {} })),
    sandbox: Type.Optional(
      closed(
        {
          warm: Type.Optional(whole(0, 16, { default: 2 })),
          jitless: Type.Optional(Type.Boolean({ default: true })),
          mostRunning: Type.Optional(whole(1, 1000, { default: 32, description: 'With more sandboxes than this, idle optional skills and tools hibernate at once, the least recently used first.' })),
          hibernateAfterMs: Type.Optional(whole(10, 604_800_000, { default: 600_000, description: 'Optional skills and tools that nobody called for so long hibernate until the next call.' })),
        },
        { default: {} },
      ),
    ),
    reload: Type.Optional(
      closed(
        {
          watch: Type.Optional(Type.Boolean({ default: true, description: 'Whether changes of the home are noticed by themselves.' })),
          quietMs: Type.Optional(whole(50, 60_000, { default: 500, description: 'So long nothing may have changed before the host looks.' })),
          mostMs: Type.Optional(whole(50, 600_000, { default: 1500, description: 'So long after the first change it looks all the same.' })),
        },
        { default: {} },
      ),
    ),
    network: Type.Optional(NetworkSettings),
    discovery: Type.Optional(DiscoverySettings),
    pipeline: Type.Optional(PipelineSettings),
    costs: Type.Optional(CostSettings),
    retention: Type.Optional(RetentionSettings),
    identities: Type.Optional(IdentityLinks),
    trust: Type.Optional(TrustPolicy),
    telemetry: Type.Optional(
      closed(
        {
          traces: Type.Optional(
            closed(
              {
                sampleRatio: Type.Optional(Type.Number({ minimum: 0, maximum: 1, default: 0.01, description: 'the share of messages whose way is traced, where nobody before this host has decided; without an SDK none is, see [Traces](observability.md#traces)' })),
                propagateTo: Type.Optional(Type.Array(Type.String({ pattern: '^https?://[^\\s/?#@]+$', maxLength: 300 }), { maxItems: 64, default: [], description: 'origins, as `https://api.example.com`, whose requests carry the `traceparent` of the message; all others learn of no trace' })),
              },
              { default: {} },
            ),
          ),
        },
        { default: {} },
      ),
    ),
  },
  { title: 'Gatehouse host configuration' },
);
export type HostConfig = Static<typeof HostConfig>;
