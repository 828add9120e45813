// Who takes part in what, in the order that counts. Built by the registry whenever membership changes; stages ask it for every message.
import type { Direction } from '../../schemas/message.ts';
import type { ModerationSection } from '../../schemas/plugin-manifest.ts';
import type { Instance } from './instance.ts';

export interface Members {
  /** By phase, then order, then id. Also gates that cannot run: each of them denies. */
  readonly gates: Readonly<Record<Direction, readonly Instance[]>>;
  readonly observers: Readonly<Record<Direction, readonly Instance[]>>;
  /** By order, then id. */
  readonly skills: readonly Instance[];
  readonly channels: readonly Instance[];
  /** By `<plugin id>/<tool>`. */
  readonly tools: ReadonlyMap<string, Instance>;
}

const PHASES = ['validation', 'authorization', 'policy', 'telemetry'] as const satisfies readonly ModerationSection['phase'][];

export function membersOf(instances: readonly Instance[]): Members {
  // What is being switched off is asked nothing new, also where it would have to be asked: it is the operator who takes it away.
  const enabled = instances.filter(({ state }) => state !== 'disabled' && state !== 'draining').sort(byOrder);
  const runnable = enabled.filter(({ resolved }) => resolved !== undefined);
  const moderating = (mode: ModerationSection['mode'], direction: Direction) =>
    enabled.filter(({ moderation }) => moderation?.mode === mode && moderation.directions.includes(direction)).sort((a, b) => phaseOf(a) - phaseOf(b) || byOrder(a, b));
  return {
    gates: { inbound: moderating('gate', 'inbound'), outbound: moderating('gate', 'outbound') },
    observers: { inbound: moderating('observer', 'inbound'), outbound: moderating('observer', 'outbound') },
    skills: runnable.filter(({ kind }) => kind === 'skill'),
    channels: runnable.filter(({ kind }) => kind === 'channel'),
    tools: new Map(runnable.flatMap((each) => (each.resolved?.release.manifest.tools ?? []).map(({ name }): [string, Instance] => [`${each.plugin}/${name}`, each]))),
  };
}

/** Who is started when: what the host may not be without, then by order, then by id. Nobody waits for anybody: each begins as soon as the one before has begun. */
export function inStartOrder<I extends Pick<Instance, 'required' | 'order' | 'plugin' | 'instance'>>(instances: readonly I[]): I[] {
  return instances.toSorted((a, b) => Number(b.required) - Number(a.required) || byOrder(a, b));
}

function byOrder(a: Pick<Instance, 'order' | 'plugin' | 'instance'>, b: Pick<Instance, 'order' | 'plugin' | 'instance'>): number {
  return a.order - b.order || compare(a.plugin, b.plugin) || compare(a.instance, b.instance);
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

const phaseOf = ({ moderation }: Instance) => (moderation ? PHASES.indexOf(moderation.phase) : PHASES.length);
