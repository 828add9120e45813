// Plugin instances: look at them, and move them through their life.
import { PluginActionBody, PluginView, ReloadView } from '../../../schemas/control.ts';
import type { Host } from '../../host.ts';
import { pageSchema, withBody, type ApiRoute } from './api.ts';

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
    run: ({ params }) => plugins.show(params['instance'] ?? ''),
  },
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
