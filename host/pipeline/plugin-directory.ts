// Who takes part in the pipeline right now, in the order that counts. The registry knows; stages only ask.
import type { Ability } from '../../schemas/abilities.ts';
import type { CapabilityName, Grant } from '../../schemas/capability.ts';
import type { InstanceId } from '../../schemas/ids.ts';
import type { Direction } from '../../schemas/message.ts';
import type { ChannelSection, SkillSection } from '../../schemas/plugin-manifest.ts';
import type { GateMode } from '../../schemas/policy.ts';
import type { ChannelPolicy } from './policy.ts';

export interface GateEntry {
  readonly instance: InstanceId;
  readonly wallMs: number;
  /** False while it is quarantined, disabled by a fault or not yet started; a gate that is not available denies. */
  readonly available: boolean;
  readonly quarantined: boolean;
  readonly onQuarantine?: 'hold' | 'bypass' | 'exit';
  /** What becomes of a message on which it gave no answer in time. */
  readonly onTimeout: 'refuse' | 'pass-with-flag';
  /** The weakest that a channel or a room may make of it. */
  readonly relaxTo: GateMode;
}

export interface SkillEntry {
  readonly instance: InstanceId;
  readonly wallMs: number;
  /** False when it will not come back by itself (quarantined, rejected, stopped). */
  readonly available: boolean;
  readonly triggers: SkillSection['triggers'];
}

export interface ChannelEntry {
  readonly instance: InstanceId;
  readonly wallMs: number;
  readonly section: ChannelSection;
  /** What its enablement says about its traffic; `policyOf` has what holds for one conversation. */
  readonly policy: ChannelPolicy;
  /** Whether its handlers hold a power that works while they run: a request, a message elsewhere, a tool. What they return is done by the host, later or never. */
  readonly reachesOut: boolean;
  /** Whether its manifest declares the ability and its sandbox has the handler; what only one of them says counts for nothing. */
  readonly can: (ability: Ability) => boolean;
  /** Resolves an ingress secret; never leaves the host. */
  readonly secret: (handle: string) => string | undefined;
}

export interface PluginDirectory {
  /** By phase, then order, then id; enabled ones whether available or not. */
  gates(direction: Direction): readonly GateEntry[];
  observers(direction: Direction): readonly GateEntry[];
  /** By order, then id. */
  skills(): readonly SkillEntry[];
  channel(instance: string): ChannelEntry | undefined;
  /** In quarantine, or revoked: what it gave before is not committed any more. */
  isFrozen(instance: string): boolean;
}

const REACHING: ReadonlySet<CapabilityName> = new Set<CapabilityName>(['http.fetch', 'message.send', 'tool.call']);

/** Whether a handler with these grants can reach anybody while it runs. */
export function reachesOut(grants: readonly Pick<Grant, 'name'>[]): boolean {
  return grants.some(({ name }) => REACHING.has(name));
}
