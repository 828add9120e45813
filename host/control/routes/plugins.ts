// Plugin instances: look at them, and move them through their life.
import { DirectoryItem, PluginActionBody, PluginView, ReloadView } from '../../../schemas/control.ts';
import { text, whole } from '../../../schemas/closed.ts';
import { wordOf } from '../../../schemas/query.ts';
import type { Host } from '../../host.ts';
import { pageSchema, withBody, type ApiRoute } from './api.ts';
import { withQuery } from './query.ts';

/** A service answers at most this many names at once. */
const MOST_NAMES = 50;

export const pluginRoutes = ({ plugins, ...host }: Pick<Host, 'plugins' | 'reload'>): readonly ApiRoute[] => [
  {
    method: 'GET', path: '/plugins', scope: 'plugins:read',
    summary: 'Every instance.',
    answer: pageSchema(PluginView),
    run: () => ({ items: plugins.list(), cursor: null }),
  },
  {
    method: 'GET', path: '/plugins/:instance', scope: 'plugins:read',
    summary: 'One instance.',
    answer: PluginView,
    run: async ({ params: { instance = '' } }) => {
      const rebuild = await plugins.rebuildOf(instance);
      return { ...plugins.show(instance), ...(rebuild && { rebuild }) };
    },
  },
  withQuery({
    method: 'GET', path: '/plugins/:instance/directory', scope: 'messages:read',
    summary: 'Names that the service of a channel knows.',
    query: {
      kind: { ...wordOf(['person', 'room'], 'What is looked for.'), default: 'person' },
      text: text(256, { default: '', description: 'What the name holds.' }),
      limit: whole(1, MOST_NAMES, { default: 20, description: 'Names at most.' }),
    },
    answer: pageSchema(DirectoryItem),
    run: async ({ params, query: { kind = 'person', text: part = '', limit = 20 } }) => ({ items: await plugins.find(params['instance'] ?? '', { kind, text: part, limit }), cursor: null }),
  }),
  {
    method: 'POST', path: '/plugins/:instance/enable', scope: 'plugins:write',
    summary: 'Start an instance that was disabled, or agree to what its files ask for beyond what it has.',
    answer: PluginView,
    run: ({ params, actor }) => plugins.enable(params['instance'] ?? '', actor),
  },
  withBody({
    method: 'POST', path: '/plugins/:instance/disable', scope: 'plugins:write',
    summary: 'Stop an instance until it is enabled again.',
    body: PluginActionBody,
    answer: PluginView,
    run: ({ params, actor, body }) => plugins.disable(params['instance'] ?? '', actor, body.reason),
  }),
  withBody({
    method: 'POST', path: '/plugins/:instance/quarantine', scope: 'review',
    summary: 'Stop an instance and keep its evidence.',
    body: PluginActionBody,
    answer: PluginView,
    run: ({ params, actor, body }) => plugins.quarantine(params['instance'] ?? '', actor, body.reason),
  }),
  withBody({
    method: 'POST', path: '/plugins/:instance/release', scope: 'review',
    summary: 'Let a quarantined instance run again.',
    body: PluginActionBody,
    answer: PluginView,
    run: ({ params, actor, body }) => plugins.release(params['instance'] ?? '', actor, body.reason),
  }),
  {
    method: 'POST', path: '/reload', scope: 'plugins:write',
    summary: 'Look at the home now and take up what changed.',
    answer: ReloadView,
    run: () => host.reload(),
  },
];
