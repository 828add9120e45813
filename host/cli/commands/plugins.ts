// `gatehouse plugins`: what is enabled, how it does, and every decision an operator takes about it.
import type { Command } from 'commander';
import type { ChannelView, DirectoryItem, PluginView, ReloadView } from '../../../schemas/control.ts';
import { describeCapability } from '../../trust/powers/describe-capability.ts';
import { GatehouseError } from '../../errors.ts';
import type { Page } from '../../host.ts';
import { writeEnabled } from '../../registry/enablement-file.ts';
import { diagnosticLines } from '../diagnostic-lines.ts';
import { connect, findHost } from '../client.ts';
import { configOf } from '../context.ts';
import type { EnableOptions } from '../enable-options.ts';
import { enable } from '../enable.ts';
import { requireEnablement } from '../enablement-files.ts';
import { surveyFiles, viewsOf } from '../files-survey.ts';
import { example } from '../help.ts';
import { plainLine, type Io } from '../io.ts';
import { allOf, isFiltered, pageOf, printPage, withListOptions, type ListOptions } from '../listing.ts';
import { releaseOffline } from '../release-offline.ts';
import { queryString } from '../query.ts';
import { facts, table } from '../table.ts';
import { reloadLines } from '../reload-lines.ts';

const instancePath = (instance: string) => `/plugins/${encodeURIComponent(instance)}`;

export function register(program: Command, io: Io): void {
  const plugins = program.command('plugins').description('list, show, enable, disable, quarantine, release and reload plugins').addHelpText('after', example('gatehouse plugins list'));

  withListOptions(plugins.command('list', { isDefault: true }), '/plugins')
    .description('every instance and its state')
    .addHelpText('after', example('gatehouse plugins list --json'))
    .action(async (options: ListOptions) => {
      const page = isFiltered(options) ? await pageOf<PluginView>(connect(io), '/plugins', options) : { items: await views(io), cursor: null };
      printPage(io, page, {
        instance: ({ instance }) => instance,
        plugin: ({ plugin }) => plugin,
        kind: ({ kind }) => kind,
        version: ({ version }) => version,
        state: ({ state }) => state,
        required: ({ required }) => (required ? 'yes' : 'no'),
        why: ({ code }) => code ?? '',
      }, 'No plugin is enabled.');
    });

  plugins
    .command('show <instance>')
    .description('one instance: state, grants, counters')
    .addHelpText('after', example('gatehouse plugins show webchat'))
    .action(async (instance: string) => {
      const view = await findHost(io)?.get<PluginView>(instancePath(instance)) ?? (await views(io)).find((each) => each.instance === instance);
      if (!view) throw new GatehouseError('PLUGIN_NOT_FOUND', { instance });
      const { grants, cpuMs, diagnostics = [], limits, retry, channel, madeFrom, rebuild, ...rest } = view;
      io.print(view, () => [
        facts(io, { ...rest, cpuMs: Math.round(cpuMs), limits: limits && inWords(limits), retry: retry && inWords(retry), 'made from': madeFrom && `${madeFrom.source} at ${madeFrom.commit}`, 'built again': rebuild && `${rebuild.verdict} (${rebuild.at})`, ...(channel ? channelFacts(channel) : {}) }),
        ...grants.map((grant) => `  - may ${plainLine(describeCapability(grant), 400)}`),
        ...(diagnostics.length === 0 ? [] : ['Its files say what is not taken up:', diagnosticLines(io, diagnostics)]),
      ].join('\n'));
    });

  plugins
    .command('find <instance> <text>')
    .description('names that the service of a channel knows, to write to')
    .option('--kind <kind>', 'person or room', 'person')
    .option('--limit <count>', 'at most this many, 1 to 50')
    .addHelpText('after', example('gatehouse plugins find courier ada'))
    .action(async (instance: string, text: string, options: Record<string, string>) => {
      const page = await connect(io).get<Page<DirectoryItem>>(`${instancePath(instance)}/directory${queryString({ ...options, text })}`);
      io.print(page, () => table(io, page.items, { id: ({ id }) => id, name: ({ name }) => name }, 'Nobody is found.'));
    });

  plugins
    .command('enable <package>')
    .description('enable a package, a first-party plugin by its id, or an instance that is there: switched off, or waiting for somebody to agree')
    .option('--instance <name>', 'name of the instance (default: last part of the id)')
    .option('--required', 'the host does not start without it')
    .option('--grants <which>', 'requested or none (default: requested; on enabling again: what was granted before, as far as it is still asked for)')
    .option('--config <json>', 'its settings, as a JSON object')
    .option('--secret <handle=env:NAME|file:PATH>', 'where a secret is read; may be given several times', (text: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), text])
    .addHelpText('after', example('gatehouse plugins enable ./acme.weather-1.2.3.tgz', 'gatehouse plugins enable gatehouse.webhook --secret signing=env:WEBHOOK_SECRET'))
    .action((target: string, options: EnableOptions) => enable(target, options, io));

  plugins
    .command('reload')
    .description('have the running host look at the home now')
    .addHelpText('after', example('gatehouse plugins reload'))
    .action(async () => {
      const view = await connect(io).post<ReloadView>('/reload');
      io.print(view, () => reloadLines(io, view));
    });

  plugins
    .command('disable <instance>')
    .description('stop an instance until it is enabled again')
    .option('--reason <text>', 'why, for the record', 'disabled on the command line')
    .addHelpText('after', example('gatehouse plugins disable echo --reason "not needed"'))
    .action(async (instance: string, { reason }: { reason: string }) => {
      const { path } = await requireEnablement(configOf(io), instance);
      await writeEnabled(path, false);
      const view = await findHost(io)?.post<PluginView>(`${instancePath(instance)}/disable`, { reason });
      io.print(view ?? { instance, enabled: false, file: path }, () => `${instance} is disabled.`);
    });

  for (const [verb, description, question] of [
    ['quarantine', 'stop an instance and keep its evidence', 'Quarantine'],
    ['release', 'let a quarantined instance run again', 'Release'],
  ] as const) {
    plugins
      .command(`${verb} <instance>`)
      .description(description)
      .requiredOption('--reason <text>', 'why, for the record')
      .addHelpText('after', example(`gatehouse plugins ${verb} weather --reason "…" --yes`))
      .action(async (instance: string, { reason }: { reason: string }) => {
        const host = verb === 'release' ? findHost(io) : connect(io);
        await io.confirm(`${question} '${plainLine(instance)}'?`);
        const view = host ? await host.post<PluginView>(`${instancePath(instance)}/${verb}`, { reason }) : await releaseOffline(instance, reason, io);
        io.print(view, () => `${view.instance} is ${view.state}.`);
      });
  }
}

/** `heapMb 32, cpuMsPerCall 50` */
const inWords = (values: object) => Object.entries(values).map(([name, value]) => `${name} ${String(value)}`).join(', ');

function channelFacts({ declared, effective, tries, limits, health }: ChannelView) {
  const unused = declared.filter((ability) => !effective.includes(ability));
  return {
    abilities: effective.join(', '),
    ...(unused.length > 0 && effective.length > 0 ? { 'declared only': unused.join(', ') } : {}),
    ...(tries ? { 'tries of a delivery': Object.entries(tries).map(([what, { attempts }]) => `${what} ${attempts}`).join(', ') } : {}),
    ...(limits ? { 'a message holds': inWords(limits) } : {}),
    ...(health ? { health: `${health.healthy ? 'well' : `unwell (${health.problem ?? ''})`}, ${health.failures} failed in a row, ${health.probes} probes, ${health.reconnects} reconnects; ${inWords(health.policy)}` } : {}),
  };
}

/** From the running host, else from the files. */
async function views(io: Io): Promise<readonly PluginView[]> {
  const host = findHost(io);
  if (host) return await allOf<PluginView>(host, '/plugins');
  return viewsOf(await surveyFiles(configOf(io), io.env));
}
