// `gatehouse config`: host.json looked at, judged, edited from a known state, and taken back; through the running host, or on the file.
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { ConfigEdited, ConfigHistoryItem, ConfigValidation, ConfigView } from '../../../schemas/config-view.ts';
import { BOUNDS } from '../../../schemas/bounds.ts';
import { HostConfig } from '../../../schemas/host-config.ts';
import { configIn, hostConfigPath, overridesIn } from '../../config.ts';
import { changesBetween, configHash, editedText, mergePatch, needsRestart, patchOf, readWritten, valueAt } from '../../config-edit.ts';
import { GatehouseError, problemOf } from '../../errors.ts';
import type { Page } from '../../host.ts';
import { nearestOf } from '../../nearest.ts';
import { replaceFile } from '../../registry/enablement-file.ts';
import { parseStrict } from '../../strict-json.ts';
import { connect, findHost } from '../client.ts';
import { homeOf } from '../context.ts';
import { example } from '../help.ts';
import { plain, plainLine, type Io } from '../io.ts';
import { readInput } from '../read-input.ts';
import { table } from '../table.ts';

export function register(program: Command, io: Io): void {
  const config = program.command('config').description('look at host.json, judge it, change it, take it back').addHelpText('after', example('gatehouse config get pipeline.queue'));
  config
    .command('get [path]', { isDefault: true })
    .description('settings as they come to, with where the environment decides')
    .addHelpText('after', example('gatehouse config get', 'gatehouse config get pipeline.queue.mode'))
    .action(async (path: string | undefined) => {
      // Whoever mistypes a subcommand lands here: it is the default, and its path could be any word.
      const meant = path === undefined || Object.hasOwn(HostConfig.properties, path.split('.')[0] ?? '') ? undefined : nearestOf(path, config.commands.map((each) => each.name()));
      if (meant !== undefined) throw new GatehouseError('USAGE', { problem: `There is no setting '${path}' (did you mean ${meant}?)` });
      const view = await viewOf(io);
      const value = path === undefined ? view : valueAt(view.settings, path);
      if (value === undefined) throw new GatehouseError('USAGE', { problem: `There is no setting '${path}'` });
      io.print(value, () => (path === undefined ? settingsText(io, view) : plain(JSON.stringify(value, null, 2))));
    });
  config
    .command('validate [file]')
    .description('whether a host would start with it (default: host.json as it is)')
    .addHelpText('after', example('gatehouse config validate new-host.json'))
    .action(async (file: string | undefined) => {
      const verdict = await judge(io, file);
      io.print(verdict, () => (verdict.ok ? [`${io.tone('green', 'Valid.')}${verdict.changes.length === 0 ? '' : ' It would change:'}`, ...changeLines(verdict)].join('\n') : [verdict.message ?? '', verdict.fix ?? ''].map(plain).join('\n')));
      if (!verdict.ok) io.exitWith(verdict.code === 'CONFIG_UNSAFE' ? 3 : 2);
    });
  config
    .command('set <path> <value>')
    .description('one setting; the value as JSON, or as a text')
    .option('--reason <text>', 'for the history')
    .addHelpText('after', example('gatehouse config set pipeline.queue.mode collect', "gatehouse config set hosts '[\"chat.example.com\"]'", 'gatehouse config set log.level null'))
    .action(async (path: string, value: string, { reason }: { reason?: string }) => tellEdit(io, await patch(io, patchOf(path, fromText(value)), reason)));
  config
    .command('patch <patch>')
    .description('several settings by a JSON merge patch (RFC 7396): JSON, or a file by @name')
    .option('--reason <text>', 'for the history')
    .addHelpText('after', example("gatehouse config patch '{\"log\":{\"level\":\"debug\"}}'", 'gatehouse config patch @patch.json'))
    .action(async (given: string, { reason }: { reason?: string }) => {
      const text = given.startsWith('@') ? await readInput(io, given.slice(1)) : Buffer.from(given);
      tellEdit(io, await patch(io, parse(text, 'the patch'), reason));
    });
  config
    .command('apply <file>')
    .description('all settings, from a file')
    .option('--reason <text>', 'for the history')
    .addHelpText('after', example('gatehouse config apply new-host.json --reason "as reviewed"'))
    .action(async (file: string, { reason }: { reason?: string }) => {
      const document = parse(await readInput(io, file), file);
      const host = findHost(io);
      const { hash } = await viewOf(io);
      tellEdit(io, host ? await host.put<ConfigEdited>('/config', { baseHash: hash, config: document, ...(reason === undefined ? {} : { reason }) }) : await editFile(io, () => document));
    });
  config
    .command('history')
    .description('earlier states of host.json that the running host remembers')
    .addHelpText('after', example('gatehouse config history'))
    .action(async () => {
      const page = await connect(io).get<Page<ConfigHistoryItem>>('/config/history?limit=200');
      io.print(page, () => table(io, page.items, { at: ({ at }) => at, by: ({ actor }) => actor, hash: ({ hash }) => hash, changed: ({ changes }) => changes.map(({ path }) => path).join(', '), reason: ({ reason }) => reason }, 'No history.'));
    });
  config
    .command('rollback <hash>')
    .description('back to an earlier state, by its hash or the beginning of it')
    .option('--reason <text>', 'for the history')
    .addHelpText('after', example('gatehouse config rollback sha256:4f2a'))
    .action(async (given: string, { reason }: { reason?: string }) => {
      const host = connect(io);
      const { items } = await host.get<Page<ConfigHistoryItem>>('/config/history?limit=200');
      const fitting = [...new Set(items.map(({ hash }) => hash))].filter((hash) => hash.startsWith(given.startsWith('sha256:') ? given : `sha256:${given}`));
      const [hash = given] = fitting;
      if (fitting.length > 1) throw new GatehouseError('USAGE', { problem: `${fitting.length} states begin with '${given}'` });
      if (fitting.length === 0) throw new GatehouseError('CONFIG_UNKNOWN', { hash });
      const { hash: baseHash } = await host.get<ConfigView>('/config');
      tellEdit(io, await host.post<ConfigEdited>('/config/rollback', { baseHash, hash, ...(reason === undefined ? {} : { reason }) }));
    });
}

const sourcesOf = (io: Io) => ({ home: homeOf(io), env: io.env, cwd: io.cwd });

/** Of the running host, else of the file. */
async function viewOf(io: Io): Promise<ConfigView> {
  const host = findHost(io);
  if (host) return await host.get<ConfigView>('/config');
  const sources = sourcesOf(io);
  const bytes = await readFile(hostConfigPath(sources.home));
  const { home: _home, manifestsDir: _manifests, homeDataDir: _data, listen, ...settings } = configIn(bytes, sources, () => undefined);
  return { hash: configHash(bytes), written: { ...readWritten(bytes, hostConfigPath(sources.home)) }, settings: { ...settings, listen: `${listen.host}:${listen.port}` }, overrides: [...overridesIn(io.env)], restart: [] };
}

async function judge(io: Io, file: string | undefined): Promise<ConfigValidation> {
  const sources = sourcesOf(io);
  const before = await readFile(hostConfigPath(sources.home));
  const bytes = file === undefined ? before : await readInput(io, file);
  try {
    configIn(bytes, sources);
    const changes = file === undefined ? [] : changesBetween(readWritten(before, hostConfigPath(sources.home)), readWritten(bytes, file));
    return { ok: true, changes, restart: changes.map(({ path }) => path).filter(needsRestart) };
  } catch (thrown) {
    if (!(thrown instanceof GatehouseError)) throw thrown;
    return { ok: false, code: thrown.code, message: thrown.message, fix: thrown.fix, changes: [], restart: [] };
  }
}

async function patch(io: Io, given: unknown, reason: string | undefined): Promise<ConfigEdited> {
  const host = findHost(io);
  if (!host) return await editFile(io, (written) => mergePatch(written, given));
  const { hash: baseHash } = await host.get<ConfigView>('/config');
  return await host.patch<ConfigEdited>('/config', { baseHash, patch: given, ...(reason === undefined ? {} : { reason }) });
}

/** With no host running; the next start remembers it as edited by hand. */
async function editFile(io: Io, make: (written: object) => unknown): Promise<ConfigEdited> {
  const sources = sourcesOf(io);
  const file = hostConfigPath(sources.home);
  const before = readWritten(await readFile(file), file);
  const after = make(before);
  const text = editedText(after, sources);
  await replaceFile(file, text);
  return { hash: configHash(Buffer.from(text)), changes: changesBetween(before, after), restart: [] };
}

function tellEdit(io: Io, edited: ConfigEdited): void {
  io.print(edited, () => [...changeLines(edited), ...(edited.changes.length === 0 ? ['Nothing changed.'] : [])].join('\n'));
  if (!io.options.json && edited.restart.length > 0) io.say(`With the next start: ${edited.restart.join(', ')}.`);
}

const changeLines = ({ changes }: Pick<ConfigEdited, 'changes'>) => changes.map(({ path, before, after }) => plainLine(`${path}: ${shown(before)} → ${shown(after)}`, 300));
const shown = (value: unknown): string => (value === undefined ? 'absent' : JSON.stringify(value));

function settingsText(io: Io, { settings, overrides, restart, hash }: ConfigView): string {
  const notes = [
    ...overrides.map(({ name, path }) => `${path} is decided by ${name}.`),
    ...(restart.length === 0 ? [] : [`With the next start: ${restart.join(', ')}.`]),
  ];
  return [plain(JSON.stringify(settings, null, 2)), ...notes.map(plain), io.tone('dim', hash)].join('\n');
}

/** JSON where it is JSON, else the text itself: `collect` needs no quotes. */
function fromText(value: string): unknown {
  try {
    return parseStrict(Buffer.from(value), { source: 'the value', maxBytes: BOUNDS.manifestBytes, maxDepth: BOUNDS.jsonDepth }).value;
  } catch (thrown) {
    if (thrown instanceof GatehouseError && /^[[{"]/.test(value.trim())) throw new GatehouseError('USAGE', { problem: problemOf(thrown).replace(/\.$/, '') }, { cause: thrown });
    return value;
  }
}

function parse(bytes: Uint8Array, source: string): unknown {
  return parseStrict(bytes, { source, maxBytes: BOUNDS.manifestBytes, maxDepth: BOUNDS.jsonDepth }).value;
}
