// What is kept and shown of instances that were stopped for what they did: the evidence bundle in data/evidence, and the views of `quarantine list` and `show`.
import { Type, type Static } from 'typebox';
import type { Grant } from './capability.ts';
import { closed, oneOf, text, whole } from './closed.ts';
import { PluginState } from './control.ts';
import { SecretReference } from './enablement.ts';
import { Digest, InstanceName, KeyId, PluginId, Publisher, Timestamp } from './ids.ts';
import { EffectiveLimits } from './plugin-manifest.ts';
import { Provenance } from './release.ts';

/**
 * What an instance was stopped by. drift: its package on disk became another. revocation: the operator's list. crash-loop and budget: three proven offences in 60 minutes,
 * the last of them a crash, or more CPU or memory than it may use. egress and capability: a streak of refusals, the last for an address, or for a power. leak: servers sent
 * its own secrets back again and again. scan: its code was found to be what must not run. reviewer: a person.
 */
export const Trigger = oneOf('drift', 'revocation', 'crash-loop', 'budget', 'egress', 'capability', 'leak', 'scan', 'reviewer');
export type Trigger = Static<typeof Trigger>;

const count = whole(0, Number.MAX_SAFE_INTEGER);
/** Facts of many kinds: an `event` or a `code`, when, and what belongs to it. */
const fact = Type.Unsafe<{ at: string } & Record<string, unknown>>(Type.Object({ at: Timestamp }, { additionalProperties: true }));

export const Evidence = closed(
  {
    evidenceVersion: Type.Literal(1),
    instance: InstanceName,
    plugin: PluginId,
    kind: Type.Union([text(40), Type.Null()]),
    version: Type.Union([text(64), Type.Null()]),
    packageDigest: Type.Union([Digest, Type.Null()]),
    at: Timestamp,
    state: oneOf('quarantined', 'revoked'),
    trigger: Trigger,
    code: text(100),
    reason: text(4000),
    actor: text(200),
    release: Type.Optional(closed({ publisher: Publisher, keyid: KeyId, development: Type.Boolean(), issuedAt: Timestamp, expiresAt: Type.Optional(Timestamp), provenance: Type.Optional(Provenance), path: text(4096) }, { description: 'As it was verified; absent where nothing genuine was known.' })),
    enablement: closed({ file: text(4096), required: Type.Boolean(), onQuarantine: Type.Optional(oneOf('hold', 'bypass', 'exit')) }),
    grants: Type.Array(Type.Unsafe<Grant>(Type.Object({ name: text(100) }, { additionalProperties: true })), { description: 'What it was allowed to do, with every origin filled in, exceptions of the operator included.' }),
    grantsDigest: Type.Optional(Digest),
    limits: Type.Optional(EffectiveLimits),
    secrets: Type.Record(Type.String(), SecretReference, { description: 'Where its secrets are read; never a value.' }),
    counters: closed({ calls: count, cpuMs: Type.Number({ minimum: 0 }), restarts: count, strikes: count, egressBytesToday: count }, { description: 'Since its sandbox was first started.' }),
    history: Type.Array(fact, { description: 'What led to it, oldest first: its states, ends of its sandbox, strikes, drift, findings of the scanner, leaks.' }),
    refused: Type.Array(fact, { description: 'The last it asked for and was refused, oldest first.' }),
    log: Type.Array(fact, { description: 'The last lines it logged, cut and masked. Foreign text.' }),
    review: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'What was known of its package: verdict of the scan, approvals.' })),
    host: closed({ version: text(100), hostApi: text(100), node: text(100), platform: text(100), profile: text(100), strict: Type.Boolean(), confinement: Type.Union([text(1000), Type.Null()]), startedAt: Timestamp }),
  },
  { title: 'Gatehouse evidence bundle' },
);
export type Evidence = Static<typeof Evidence>;

/** `intact`: the file is there and has the digest that the transition recorded. */
export const EvidenceState = oneOf('intact', 'changed', 'missing', 'none');
export type EvidenceState = Static<typeof EvidenceState>;

export const QuarantineView = closed({
  instance: InstanceName,
  plugin: PluginId,
  version: Type.Union([text(64), Type.Null()]),
  digest: Type.Union([Digest, Type.Null()]),
  state: PluginState,
  required: Type.Optional(Type.Boolean({ description: 'Absent when no enablement names it any more.' })),
  since: Timestamp,
  actor: text(200),
  trigger: Type.Optional(Trigger),
  code: text(100),
  reason: text(4000),
  onQuarantine: Type.Optional(oneOf('hold', 'bypass', 'exit')),
  evidence: closed({ state: EvidenceState, digest: Type.Optional(Digest), file: Type.Optional(text(4096)) }),
});
export type QuarantineView = Static<typeof QuarantineView>;

const Move = closed({ from: PluginState, to: PluginState, at: Timestamp, actor: text(200), reason: text(4000), code: Type.Optional(text(100)), evidenceDigest: Type.Optional(Digest) });

export const QuarantineDetail = closed({ ...QuarantineView.properties, moves: Type.Array(Move, { description: 'The last of its states, newest first.' }) });
export type QuarantineDetail = Static<typeof QuarantineDetail>;

export const EvidenceView = closed({ instance: InstanceName, digest: Digest, file: text(4096), evidence: Evidence });
export type EvidenceView = Static<typeof EvidenceView>;
