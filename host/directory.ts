// The pipeline's view of who takes part, made from the registry's. Rebuilt only when membership changes, asked for every message.
import type { Ability } from '../schemas/abilities.ts';
import type { Direction } from '../schemas/message.ts';
import { LIMITS } from '../schemas/bounds.ts';
import type { PipelineSettings } from '../schemas/host-config.ts';
import type { ToolDeclaration } from '../schemas/plugin-manifest.ts';
import type { ActiveTool } from './capabilities/tool-call.ts';
import { reachesOut, type ChannelEntry, type GateEntry, type PluginDirectory, type SkillEntry } from './pipeline/plugin-directory.ts';
import { relaxToOf } from './registry/gate-rules.ts';
import { isAvailable, isBarred, isComing } from './registry/lifecycle.ts';
import type { Members } from './registry/members.ts';
import type { Instance, Registry } from './registry/registry.ts';
import { compilePluginSchema } from './schema.ts';

interface View {
  readonly gates: Readonly<Record<Direction, readonly GateEntry[]>>;
  readonly observers: Readonly<Record<Direction, readonly GateEntry[]>>;
  readonly skills: readonly SkillEntry[];
  readonly channels: ReadonlyMap<string, ChannelEntry>;
  readonly tools: ReadonlyMap<string, ActiveTool>;
}

export interface Directory extends PluginDirectory {
  tool(address: string): ActiveTool | undefined;
}

/** What the registry does not know of channels. */
export interface ChannelFacts {
  /** The value of a secret; undefined when it cannot be read, or is not the instance's to use any more. */
  readonly secretOf: (instance: string, handle: string) => string | undefined;
  /** What host.json says for every channel. */
  readonly defaults: PipelineSettings;
  /** What the newest sandbox of an instance has registered; undefined before its first. */
  readonly handlersOf: (instance: string) => readonly string[] | undefined;
}

export function directoryOf(registry: Registry, facts: ChannelFacts): Directory {
  let members: Members | undefined;
  let view: View | undefined;
  const current = (): View => {
    if (!view || members !== registry.members) {
      members = registry.members;
      view = viewOf(members, facts);
    }
    return view;
  };
  return {
    gates: (direction) => current().gates[direction],
    observers: (direction) => current().observers[direction],
    skills: () => current().skills,
    channel: (instance) => current().channels.get(instance),
    isFrozen: (instance) => {
      const state = registry.find(instance)?.state;
      return state !== undefined && isBarred(state);
    },
    tool: (address) => current().tools.get(address),
  };
}

function viewOf({ gates, observers, skills, channels, tools }: Members, facts: ChannelFacts): View {
  return {
    gates: { inbound: gates.inbound.map(gateOf), outbound: gates.outbound.map(gateOf) },
    observers: { inbound: observers.inbound.map(gateOf), outbound: observers.outbound.map(gateOf) },
    skills: skills.map(skillOf),
    channels: new Map(channels.flatMap((each) => channelOf(each, facts))),
    tools: new Map([...tools].filter(([, { state }]) => mayAnswer(state)).flatMap(([address, each]) => toolOf(address, each))),
  };
}

const mayAnswer = (state: Instance['state']) => isAvailable(state) || isComing(state);
const wallMsOf = ({ resolved }: Instance) => resolved?.limits.wallMsPerCall ?? LIMITS.wallMsPerCall.default;

function gateOf(each: Instance): GateEntry {
  const { instance, state, isReturning } = each;
  // Released and waiting for approvals, it holds and lets pass as before; nobody wants the host to end because of that.
  const quarantined = state === 'quarantined' || (isReturning && each.enablement.onQuarantine !== 'exit');
  const { onQuarantine, onTimeout } = each.enablement;
  return { instance, wallMs: wallMsOf(each), available: mayAnswer(state), quarantined, ...(onQuarantine === undefined ? {} : { onQuarantine }), onTimeout, relaxTo: relaxToOf(each.enablement) };
}

function skillOf(each: Instance): SkillEntry {
  return { instance: each.instance, wallMs: wallMsOf(each), available: mayAnswer(each.state), triggers: each.resolved?.release.manifest.skill?.triggers };
}

/** Ingress secrets are read when a request is verified, and stay in the host. */
function channelOf(each: Instance, { secretOf, defaults, handlersOf }: ChannelFacts): [string, ChannelEntry][] {
  const { instance, resolved } = each;
  const section = resolved?.release.manifest.channel;
  if (!resolved || !section) return [];
  const can = (ability: Ability) => section.abilities.includes(ability) && (handlersOf(instance)?.includes(ability) ?? true);
  return [[instance, { instance, wallMs: wallMsOf(each), section, policy: { ...resolved.enablement, defaults }, reachesOut: reachesOut(resolved.grants), can, secret: (handle) => secretOf(instance, handle) }]];
}

/** Compiled once for each package, however often membership changes. */
const compiledTools = new WeakMap<ToolDeclaration, Pick<ActiveTool, 'input' | 'output'>>();

function toolOf(address: string, each: Instance): [string, ActiveTool][] {
  const declared = each.resolved?.release.manifest.tools?.find(({ name }) => address === `${each.plugin}/${name}`);
  if (!declared) return [];
  let compiled = compiledTools.get(declared);
  if (!compiled) {
    const source = `tool '${address}'`;
    compiled = { input: compilePluginSchema(declared.inputSchema, { role: 'input', source }), output: compilePluginSchema(declared.outputSchema, { role: 'output', source }) };
    compiledTools.set(declared, compiled);
  }
  return [[address, { address, instance: each.instance, name: declared.name, ...compiled }]];
}
