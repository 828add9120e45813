// Lists of the API as commands: their options from one table, one page as a table or as JSON, and how to come to the next. Called by commands that list.
import type { Command } from 'commander';
import type { Page } from '../host.ts';
import type { HostClient } from './client.ts';
import { plain, type Io } from './io.ts';
import { queryString } from './query.ts';
import { table } from './table.ts';

/** What a table shows of an item, by the name of the column. */
export type Columns<Item> = Readonly<Record<string, (item: Item) => unknown>>;

type Described = readonly [placeholder: string, description: string];

/** Filters that mean the same in every list that takes them. */
const SHARED = {
  instance: ['<instance>', 'only of this channel instance'],
  conversation: ['<id>', 'only of this conversation'],
  direction: ['<direction>', 'inbound or outbound'],
  plugin: ['<id>', 'only of this plugin'],
  since: ['<moment>', 'only from then on, as 2026-11-21T08:00:00Z'],
  until: ['<moment>', 'only before then'],
} as const satisfies Readonly<Record<string, Described>>;

/** In every list. */
const PAGED = {
  limit: ['<count>', 'at most this many, 1 to 200'],
  cursor: ['<cursor>', 'continue where an earlier page ended'],
} as const satisfies Readonly<Record<string, Described>>;

/** The filters of each list, and the fields it can be ordered by; test/unit/cli-lists.test.ts holds them against the API. */
export const LISTS = {
  '/messages': { instance: SHARED.instance, conversation: SHARED.conversation, outcome: ['<outcome>', 'only with this outcome, for example answered, denied or dead-lettered'], direction: SHARED.direction, since: SHARED.since, until: SHARED.until, sort: ['<order>', 'at or -at (newest first, as without it)'] },
  '/deliveries': { instance: SHARED.instance, conversation: SHARED.conversation, state: ['<state>', 'waiting (as without it), delivered, dead-lettered or dropped'], since: SHARED.since, until: SHARED.until, sort: ['<order>', 'at (oldest first, as without it) or -at'] },
  '/dead-letters': { instance: SHARED.instance, conversation: SHARED.conversation, code: ['<code>', 'only with this code, for example DELIVERY_FAILED'], stage: ['<stage>', 'only those that ended in this stage'], direction: SHARED.direction, since: SHARED.since, until: SHARED.until, sort: ['<order>', 'at or -at (newest first, as without it)'] },
  '/audit': { action: ['<action>', 'only this action; with a dot at the end, all that begin with it'], actor: ['<actor>', 'only by this actor: host, file, token:<id>, reviewer:<name>, "command line"'], resource: ['<resource>', 'only about this, for example an instance'], outcome: ['<outcome>', 'only what ended so'], since: SHARED.since, until: SHARED.until, sort: ['<order>', 'at or -at (newest first, as without it)'] },
  '/sessions': { instance: SHARED.instance, conversation: SHARED.conversation, since: ['<moment>', 'only where somebody wrote then or later'], until: ['<moment>', 'only where nobody has written since'], sort: ['<order>', 'key or -key'] },
  '/lanes': { instance: SHARED.instance, conversation: SHARED.conversation, state: ['<state>', 'only those that stand so'], sort: ['<order>', 'session or depth, or with - in front'] },
  '/approvals': { instance: ['<name>', 'only those for this instance'], reviewer: ['<name>', 'only those of this reviewer'], decision: ['<decision>', 'approve or reject'], counts: ['<bool>', 'true: only those that count now; false: only the others'], since: SHARED.since, until: SHARED.until, sort: ['<order>', 'issuedAt or reviewer, or with - in front'] },
  '/tokens': { state: ['<state>', 'active, expired or revoked'], scope: ['<scope>', 'only those that name this scope'], sort: ['<order>', 'id, createdAt, lastUsedAt or label, or with - in front'] },
  '/quarantine': { plugin: SHARED.plugin, trigger: ['<trigger>', 'only those stopped by this'], state: ['<state>', 'quarantined or revoked'], since: SHARED.since, until: SHARED.until, sort: ['<order>', 'instance or since, or with - in front'] },
  '/plugins': { state: ['<state>', 'only those in this state'], kind: ['<kind>', 'only of this kind'], plugin: SHARED.plugin, required: ['<bool>', 'true: only those that must run; false: only the others'], sort: ['<order>', 'instance, plugin, state, restarts or cpuMs, or with - in front'] },
  '/packages': { plugin: SHARED.plugin, outcome: ['<outcome>', 'only those whose newest scan ended in pass, warn or block'], used: ['<bool>', 'true: only those that an instance has now; false: only the others'], sort: ['<order>', 'plugin or scannedAt, or with - in front'] },
  '/scans': { plugin: SHARED.plugin, digest: ['<digest>', 'only of this package'], outcome: ['<outcome>', 'pass, warn or block'], since: SHARED.since, until: SHARED.until, sort: ['<order>', 'at or -at (newest first, as without it)'] },
  '/costs': { state: ['<state>', 'unbounded, within, warned or exceeded'], sort: ['<order>', 'instance, cpuMs, calls or egressBytes, or with - in front'] },
  '/backups': { state: ['<state>', 'running, done or failed'], since: SHARED.since, until: SHARED.until, sort: ['<order>', 'name or bytes, or with - in front'] },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Described>>>>;

export type ListPath = keyof typeof LISTS;

/** What was given on the command line, by name. */
export type ListOptions = Readonly<Record<string, string | undefined>>;

/** Adds every option of a list to its command. */
export function withListOptions(command: Command, path: ListPath): Command {
  for (const [name, [placeholder, description]] of Object.entries<Described>({ ...LISTS[path], ...PAGED })) command.option(`--${name} ${placeholder}`, description);
  return command;
}

/** Whether a list is asked for anything that files alone do not answer, beyond `known`. */
export const isFiltered = (options: ListOptions, ...known: readonly string[]): boolean => Object.keys(options).some((name) => !known.includes(name));

export const pageOf = async <Item>(host: HostClient, path: ListPath, options: ListOptions): Promise<Page<Item>> => await host.get<Page<Item>>(`${path}${queryString(options)}`);

/** All there are, page by page. */
export async function allOf<Item>(host: HostClient, path: ListPath): Promise<readonly Item[]> {
  const items: Item[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page: Page<Item> = await pageOf<Item>(host, path, { limit: '200', cursor: cursor ?? undefined });
    items.push(...page.items);
    cursor = page.cursor;
  }
  return items;
}

/** One page on stdout; how to come to the next on stderr. */
export function printPage<Item>(io: Io, page: Page<Item>, columns: Columns<Item>, whenEmpty: string): void {
  io.print(page, () => table(io, page.items, columns, whenEmpty));
  if (page.cursor !== null && !io.options.json) io.say(`More: --cursor ${plain(page.cursor)}`);
}
