// host.json: what it says and comes to, edits from a known state, history and the way back.
import { ApplyConfigBody, ConfigEdited, ConfigHistoryItem, ConfigValidation, ConfigView, PatchConfigBody, RollbackConfigBody, ValidateConfigBody } from '../../../schemas/config-view.ts';
import { text } from '../../../schemas/closed.ts';
import { SPAN, sortBy } from '../../../schemas/query.ts';
import type { Host } from '../../host.ts';
import type { Editor } from '../../config-desk.ts';
import { permits } from '../scopes.ts';
import { fits, within } from '../../store/page.ts';
import { sortedPage, type Sorting } from '../../store/sorted-page.ts';
import { listRoute } from './listing.ts';
import { withBody, type ApiCall, type ApiRoute } from './api.ts';

const BY_TIME: Sorting<ConfigHistoryItem> = { keyOf: (item) => item.hash, fields: { at: (item) => item.at } };

export const configRoutes = ({ settings }: Pick<Host, 'settings'>): readonly ApiRoute[] => [
  {
    id: 'getConfig', method: 'GET', path: '/config', scope: 'config:read', tagged: { aside: ['settings', 'overrides', 'restart'] },
    summary: 'host.json as it is written and what it comes to.',
    answer: ConfigView,
    run: () => settings.view(),
  },
  listRoute({
    id: 'listConfigHistory', path: '/config/history', scope: 'config:read',
    summary: 'The last 100 states of host.json, newest first.',
    item: ConfigHistoryItem,
    query: {
      actor: text(200, { description: 'Only what this one changed, as `token:<id>` or `file`.' }),
      ...SPAN,
      sort: sortBy('-at', 'at'),
    },
    run: async ({ actor, since, until, sort = '-at', ...page }) => sortedPage((await settings.history()).items.filter((each) => fits(each, { actor }) && within(each.at, { since, until })), { ...page, sort }, BY_TIME),
  }),
  withBody({
    id: 'validateConfig', method: 'POST', path: '/config/validate', scope: 'config:read',
    summary: 'Whether a host would start with these settings, and what they change.',
    body: ValidateConfigBody,
    answer: ConfigValidation,
    run: ({ body }) => settings.validate(body.config),
  }),
  withBody({
    id: 'patchConfig', method: 'PATCH', path: '/config', scope: 'config:write', errors: ['CONFIG_CONFLICT', 'CONFIG_REVIEWED', 'CONFIG_UNSAFE', 'SCHEMA_INVALID', 'SCHEMA_UNKNOWN_KEY'], guards: 'getConfig',
    summary: 'Change some settings by a JSON merge patch.',
    body: PatchConfigBody,
    answer: ConfigEdited,
    run: ({ body, ...call }) => settings.patch(body, editorOf(call)),
  }),
  withBody({
    id: 'replaceConfig', method: 'PUT', path: '/config', scope: 'config:write', errors: ['CONFIG_CONFLICT', 'CONFIG_REVIEWED', 'CONFIG_UNSAFE', 'SCHEMA_INVALID', 'SCHEMA_UNKNOWN_KEY'], guards: 'getConfig',
    summary: 'Replace all settings.',
    body: ApplyConfigBody,
    answer: ConfigEdited,
    run: ({ body, ...call }) => settings.apply(body, editorOf(call)),
  }),
  withBody({
    id: 'rollBackConfig', method: 'POST', path: '/config/rollback', scope: 'config:write', errors: ['CONFIG_CONFLICT', 'CONFIG_REVIEWED', 'CONFIG_UNKNOWN'], guards: 'getConfig',
    summary: 'Go back to an earlier host.json.',
    body: RollbackConfigBody,
    answer: ConfigEdited,
    run: ({ body, ...call }) => settings.rollback(body, editorOf(call)),
  }),
];

const editorOf = ({ actor, principal }: Pick<ApiCall, 'actor' | 'principal'>): Editor => ({ actor, mayReview: permits(principal.scopes, 'review') });
