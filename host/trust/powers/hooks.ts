// The places where a plugin is called: routes, sockets, triggers, phases of moderation. Asked by powers.ts, which holds one manifest against another.
import type { Direction } from '../../../schemas/message.ts';
import type { ChannelSection, CommandDeclaration, ModerationSection, PluginManifest, SkillSection } from '../../../schemas/plugin-manifest.ts';
import { describeRoute } from './describe-ingress.ts';

/** A place where other people's data reaches the plugin. Tools are none: whoever calls one was granted it by name. */
interface Hook {
  readonly text: string;
  /** Hooks that are at least as wide. */
  readonly within?: readonly string[];
}

/** Where the one is called and the other is not, a phrase each; a hook that a wider one of the other covers is not told. */
export function hooksBeyond(one: PluginManifest, other: PluginManifest): string[] {
  const known = new Set(hooksOf(other).map(({ text }) => text));
  return hooksOf(one).filter(({ text, within = [] }) => ![text, ...within].some((each) => known.has(each))).map(({ text }) => text);
}

/** All of them, a phrase each. */
export const hooksInWords = (manifest: PluginManifest): string[] => hooksOf(manifest).map(({ text }) => text);

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
