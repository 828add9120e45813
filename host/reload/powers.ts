// What an instance may do, before and after a change of its files: grants, limits that the package sets for itself, and where it is called. Pure; asked by plan.ts.
import type { Direction } from '../../schemas/message.ts';
import type { ChannelSection, CommandDeclaration, Limits, ModerationSection, PluginManifest, SkillSection } from '../../schemas/plugin-manifest.ts';
import { describeRoute } from '../registry/describe-ingress.ts';
import { grantChanges, grantChangesInWords, type GrantChanges } from '../registry/grant-changes.ts';
import type { ResolvedPlugin } from '../registry/resolve.ts';

export interface PowerChanges {
  /** With every `{ config }` filled in: another address in the config is another origin. */
  readonly grants: GrantChanges;
  /** Bounds that a new package raises and the enablement says nothing about. */
  readonly limits: readonly { readonly limit: keyof Limits; readonly before: number; readonly after: number }[];
  /** Where it would be called, and was not. */
  readonly hooks: readonly string[];
}

export function powerChanges(before: ResolvedPlugin, after: ResolvedPlugin): PowerChanges {
  const known = new Set(hooksOf(before.release.manifest).map(({ text }) => text));
  return {
    grants: grantChanges(before.grants, after.grants),
    limits: LIMIT_NAMES.filter((limit) => after.enablement.limits[limit] === undefined && after.limits[limit] > before.limits[limit]).map((limit) => ({ limit, before: before.limits[limit], after: after.limits[limit] })),
    hooks: hooksOf(after.release.manifest).filter(({ text, within = [] }) => ![text, ...within].some((each) => known.has(each))).map(({ text }) => text),
  };
}

/** More than before, in any respect: that takes effect only once somebody agrees. */
export function isWider({ grants: { added, widened }, limits, hooks }: PowerChanges): boolean {
  return added.length + widened.length + limits.length + hooks.length > 0;
}

/** A sentence for each change. */
export function powerChangesInWords({ grants, limits, hooks }: PowerChanges): string[] {
  return [
    ...grantChangesInWords(grants),
    ...limits.map(({ limit, before, after }) => `widened: ${limit} from ${before} to ${after}`),
    ...hooks.map((hook) => `added: ${hook}`),
  ];
}

const LIMIT_NAMES = ['heapMb', 'cpuMsPerCall', 'wallMsPerCall', 'concurrency'] as const satisfies readonly (keyof Limits)[];

/** A place where other people's data reaches the plugin. Tools are none: whoever calls one was granted it by name. */
interface Hook {
  readonly text: string;
  /** Hooks that are at least as wide. */
  readonly within?: readonly string[];
}

function hooksOf({ channel, skill, moderation, kind }: PluginManifest): readonly Hook[] {
  return [...(channel ? channelHooks(channel) : []), ...(kind === 'skill' ? skillHooks(skill ?? {}) : []), ...(moderation ? moderationHooks(moderation) : [])];
}

function channelHooks({ ingress, socket }: ChannelSection): Hook[] {
  const routes = ingress.map((route) => ({ text: describeRoute(route), within: [describeRoute({ ...route, verify: { scheme: 'none' } }), describeRoute({ ...route, sender: 'verified' })] }));
  if (!socket) return routes;
  const text = (origin: string) => `takes WebSockets at ${socket.path} from ${origin === 'any' ? 'pages of any site' : 'its own pages'}`;
  return [...routes, { text: text(socket.origin), within: [text('any')] }];
}

const EVERY_MESSAGE = 'answers every message';

function skillHooks({ triggers }: SkillSection): Hook[] {
  if (!triggers || triggers.always || (!triggers.prefixes && !triggers.commands)) return [{ text: EVERY_MESSAGE }];
  const { prefixes = [], commands = [] } = triggers;
  const prefixText = (prefix: string) => `answers messages that begin with '${prefix}'`;
  return [
    ...prefixes.map((prefix) => ({ text: prefixText(prefix), within: [EVERY_MESSAGE, ...beginnings(prefix).map(prefixText)] })),
    ...commands.map((command) => (typeof command === 'string' ? { name: command } : command)).map(({ name, permission }: Pick<CommandDeclaration, 'name' | 'permission'>) => {
      const text = `answers the command /${name}`;
      const within = [EVERY_MESSAGE, ...beginnings(`/${name}`).map(prefixText)];
      return permission === 'owners' ? { text: `${text} of owners`, within: [text, ...within] } : { text, within };
    }),
  ];
}

const beginnings = (text: string) => Array.from(text, (_, at) => text.slice(0, at + 1));

function moderationHooks({ mode, phase, directions }: ModerationSection): Hook[] {
  const text = (verb: string, direction: Direction) => `${verb} ${direction} messages in phase ${phase}`;
  return directions.map((direction) => (mode === 'gate' ? { text: text('decides on', direction) } : { text: text('is told of', direction), within: [text('decides on', direction)] }));
}
