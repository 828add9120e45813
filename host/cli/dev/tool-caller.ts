// The skill that stands in front of a tool under `gatehouse dev`: what a person types, `<tool> <arguments as JSON>`, becomes a call. Called by dev-home.ts.
import { HOST_API_VERSION, type PluginManifest } from '../../../schemas/plugin-manifest.ts';

const ID = 'dev.caller';

/** It may call the tools of this plugin, and nothing else. */
export const toolCallerManifest = (plugin: string, tools: NonNullable<PluginManifest['tools']>): PluginManifest => ({
  manifestVersion: 1,
  id: ID,
  publisher: 'dev',
  version: '1.0.0',
  kind: 'skill',
  displayName: 'Tool caller',
  description: 'Calls the tools of the plugin under development.',
  license: 'MIT',
  hostApi: `^${HOST_API_VERSION}`,
  capabilities: [{ name: 'tool.call', tools: tools.map(({ name }) => `${plugin}/${name}`) }],
  skill: { triggers: { always: true } },
});

/** The text of its plugin.js. */
export const toolCallerSource = (plugin: string): string => `gatehouse.register({
  kind: 'skill',
  handlers: {
    respond: async ({ message }, ctx) => {
      const [, name, given] = /^(\\S*)\\s*([^]*)$/.exec(message.text);
      try {
        const result = await ctx.tool.call(${JSON.stringify(`${plugin}/`)} + name, given === '' ? {} : JSON.parse(given));
        return { replies: [{ text: JSON.stringify(result, null, 2) }] };
      } catch (error) {
        return { replies: [{ text: (error.code ?? error.name) + ': ' + error.message }] };
      }
    },
  },
});
`;
