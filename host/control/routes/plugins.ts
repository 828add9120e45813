// Plugin instances: look at them, and move them through their life.
import { DirectoryItem, PluginActionBody, PluginState, PluginView, ReloadView } from '../../../schemas/control.ts';
import { Type } from 'typebox';
import { text, whole } from '../../../schemas/closed.ts';
import { PluginKind } from '../../../schemas/plugin-manifest.ts';
import { sortBy, wordOf } from '../../../schemas/query.ts';
import type { Host } from '../../host.ts';
import { pageSchema, withBody, type ApiCall, type ApiRoute } from './api.ts';
import { fits } from '../../store/page.ts';
import { sortedPage, type Sorting } from '../../store/sorted-page.ts';
import { listRoute } from './listing.ts';
import { withQuery } from './query.ts';

/** A service answers at most this many names at once. */
const MOST_NAMES = 50;

const BY_INSTANCE: Sorting<PluginView> = { keyOf: (view) => view.instance, fields: { instance: (view) => view.instance, plugin: (view) => view.plugin, state: (view) => view.state, restarts: (view) => view.restarts, cpuMs: (view) => view.cpuMs } };

/** In the moment of the change, the state that was asked for. */
const watched = ({ demand, params }: Pick<ApiCall, 'demand' | 'params'>, plugins: Host['plugins']) => demand && (() => demand(plugins.show(params['instance'] ?? '')));

export const pluginRoutes = ({ plugins, ...host }: Pick<Host, 'plugins' | 'reload'>): readonly ApiRoute[] => [
  listRoute({
    id: 'listPlugins', path: '/plugins', scope: 'plugins:read',
    summary: 'Every instance.',
    item: PluginView,
    query: {
      state: { ...PluginState, description: 'Only those in this state.' },
      kind: { ...PluginKind, description: 'Only of this kind.' },
      plugin: text(128, { description: 'Only instances of this plugin.' }),
      required: Type.Boolean({ description: 'Only those that must run, or only the others.' }),
      sort: sortBy('instance', '-instance', 'plugin', '-plugin', 'state', '-state', 'restarts', '-restarts', 'cpuMs', '-cpuMs'),
    },
    run: ({ state, kind, plugin, required, sort = 'instance', ...page }) => sortedPage(plugins.list().filter((each) => fits(each, { state, kind, plugin, required })), { ...page, sort }, BY_INSTANCE),
  }),
  {
    id: 'getPlugin', method: 'GET', path: '/plugins/:instance', scope: 'plugins:read', errors: ['PLUGIN_NOT_FOUND'], tagged: { aside: ['restarts', 'strikes', 'cpuMs', 'calls', 'startPosition', 'channel', 'rebuild'] },
    summary: 'One instance.',
    answer: PluginView,
    run: async ({ params: { instance = '' } }) => {
      const rebuild = await plugins.rebuildOf(instance);
      return { ...plugins.show(instance), ...(rebuild && { rebuild }) };
    },
  },
  withQuery({
    id: 'findNames', method: 'GET', path: '/plugins/:instance/directory', scope: 'messages:read', errors: ['PLUGIN_NOT_FOUND', 'INSTANCE_UNAVAILABLE', 'CALL_FAILED', 'RESULT_INVALID'],
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
    id: 'enablePlugin', method: 'POST', path: '/plugins/:instance/enable', scope: 'plugins:write', errors: ['PLUGIN_NOT_FOUND', 'TRANSITION_ILLEGAL'], guards: 'getPlugin',
    summary: 'Start an instance that was disabled, or agree to what its files ask for beyond what it has.',
    answer: PluginView,
    run: ({ params, actor }) => plugins.enable(params['instance'] ?? '', actor),
  },
  withBody({
    id: 'disablePlugin', method: 'POST', path: '/plugins/:instance/disable', scope: 'plugins:write', errors: ['PLUGIN_NOT_FOUND', 'TRANSITION_ILLEGAL'], guards: 'getPlugin',
    summary: 'Stop an instance until it is enabled again.',
    body: PluginActionBody,
    answer: PluginView,
    run: ({ body, ...call }) => plugins.disable(call.params['instance'] ?? '', call.actor, body.reason, watched(call, plugins)),
  }),
  withBody({
    id: 'quarantinePlugin', method: 'POST', path: '/plugins/:instance/quarantine', scope: 'review', errors: ['PLUGIN_NOT_FOUND', 'TRANSITION_ILLEGAL'], guards: 'getPlugin',
    summary: 'Stop an instance and keep its evidence.',
    body: PluginActionBody,
    answer: PluginView,
    run: ({ body, ...call }) => plugins.quarantine(call.params['instance'] ?? '', call.actor, body.reason, watched(call, plugins)),
  }),
  withBody({
    id: 'releasePlugin', method: 'POST', path: '/plugins/:instance/release', scope: 'review', errors: ['PLUGIN_NOT_FOUND', 'TRANSITION_ILLEGAL'], guards: 'getPlugin',
    summary: 'Let a quarantined instance run again.',
    body: PluginActionBody,
    answer: PluginView,
    run: ({ body, ...call }) => plugins.release(call.params['instance'] ?? '', call.actor, body.reason, watched(call, plugins)),
  }),
  {
    id: 'reloadHome', method: 'POST', path: '/reload', scope: 'plugins:write',
    summary: 'Look at the home now and take up what changed.',
    answer: ReloadView,
    run: () => host.reload(),
  },
];
