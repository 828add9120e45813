// `gatehouse quarantine`: who was stopped and why, and the evidence, for whoever has to decide about a release. Without a host it reads the data directory itself.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Evidence, EvidenceView, QuarantineDetail, QuarantineView } from '../../../schemas/quarantine.ts';
import { writeFileOnce } from '../../authoring/write-file.ts';
import { GatehouseError } from '../../errors.ts';
import type { Page } from '../../host.ts';
import { digestOf, textOf } from '../../quarantine/evidence.ts';
import { quarantineDesk, type QuarantineDesk } from '../../quarantine/desk.ts';
import { describeCapability } from '../../trust/powers/describe-capability.ts';
import { discover } from '../../registry/discover.ts';
import { connect, findHost } from '../client.ts';
import { example } from '../help.ts';
import { plainLine, type Io } from '../io.ts';
import { isFiltered, pageOf, printPage, withListOptions, type ListOptions } from '../listing.ts';
import { withStoreOffline } from '../store-offline.ts';
import { facts, table } from '../table.ts';

export function register(program: Command, io: Io): void {
  const quarantine = program.command('quarantine').description('list and show who was stopped, with the evidence').addHelpText('after', example('gatehouse quarantine list'));

  withListOptions(quarantine.command('list', { isDefault: true }), '/quarantine')
    .description('every instance that is quarantined or revoked')
    .addHelpText('after', example('gatehouse quarantine list --json'))
    .action(async (options: ListOptions) => {
      const page = isFiltered(options) ? await pageOf<QuarantineView>(connect(io), '/quarantine', options) : await ask<Page<QuarantineView>>(io, (get) => get(''), async (desk) => ({ items: await desk.list(), cursor: null }));
      printPage(io, page, {
        instance: ({ instance }) => instance,
        version: ({ version }) => version,
        state: ({ state }) => state,
        since: ({ since }) => since,
        trigger: ({ trigger }) => trigger ?? '',
        by: ({ actor }) => actor,
        evidence: ({ evidence }) => evidence.state,
        reason: ({ reason }) => reason,
      }, 'Nobody is in quarantine.');
    });

  quarantine
    .command('show <instance>')
    .description('one of them: why, since when, and how it came there')
    .addHelpText('after', example('gatehouse quarantine show weather'))
    .action(async (instance: string) => {
      const detail = await ask<QuarantineDetail>(io, (get) => get(`/${encodeURIComponent(instance)}`), (desk) => desk.show(instance));
      const { moves, evidence, ...rest } = detail;
      io.print(detail, () => [
        facts(io, { ...rest, evidence: evidence.state, 'evidence digest': evidence.digest, 'evidence file': evidence.file }),
        table(io, moves, { at: ({ at }) => at, from: ({ from }) => from, to: ({ to }) => to, by: ({ actor }) => actor, code: ({ code }) => code ?? '', reason: ({ reason }) => reason }, ''),
      ].join('\n\n'));
    });

  quarantine
    .command('evidence <instance>')
    .description('what was kept when it was stopped, held against the digest recorded then')
    .option('--out <file>', 'write the bundle there, byte for byte; a file that is there stays')
    .addHelpText('after', example('gatehouse quarantine evidence weather --out weather-evidence.json'))
    .action(async (instance: string, { out }: { out?: string }) => {
      const view = await ask<EvidenceView>(io, (get) => get(`/${encodeURIComponent(instance)}/evidence`), (desk) => desk.evidence(instance));
      const bytes = textOf(view.evidence);
      const actual = digestOf(bytes);
      if (actual !== view.digest) throw new GatehouseError('EVIDENCE_CHANGED', { instance, expected: view.digest, actual, file: view.file });
      if (out !== undefined && !(await writeFileOnce(resolve(io.cwd, out), bytes, 0o600))) throw new GatehouseError('FILE_EXISTS', { file: out });
      io.print(view, () => [evidenceLines(io, view), ...(out === undefined ? [] : [`Written to ${plainLine(out)}.`])].join('\n\n'));
    });
}

/** The running host, else the data directory. */
async function ask<T>(io: Io, ofHost: (get: <A>(path: string) => Promise<A>) => Promise<T>, ofDesk: (desk: QuarantineDesk) => Promise<T>): Promise<T> {
  const host = findHost(io);
  if (host) return await ofHost((path) => host.get(`/quarantine${path}`));
  return await withStoreOffline(io, async (store, config) => {
    const enablements = new Map((await discover(config)).enablements.map(({ enablement }) => [enablement.instance, enablement]));
    return await ofDesk(quarantineDesk({ store, dataDir: config.dataDir, written: async () => undefined, enablementOf: (instance) => enablements.get(instance) }));
  });
}

function evidenceLines(io: Io, { digest, evidence }: EvidenceView): string {
  const { release, grants, counters, history, refused, log, host, secrets, limits, enablement, evidenceVersion: _evidenceVersion, review, ...rest } = evidence;
  return [
    facts(io, {
      ...rest,
      ...(release ? { publisher: release.publisher, keyid: release.keyid, issued: release.issuedAt, source: release.provenance?.source, commit: release.provenance?.commit } : {}),
      enablement: enablement.file,
      limits: limits && inWords(limits),
      counters: inWords(counters),
      secrets: Object.entries(secrets).map(([handle, reference]) => `${handle} from ${Object.values(reference).join()}`).join(', '),
      host: `${host.version}, ${host.platform}, node ${host.node}, ${host.confinement ?? 'no confinement known'}`,
      ...(review ? { review: JSON.stringify(review) } : {}),
      digest: `${digest} (as recorded)`,
    }),
    grants.map((grant) => `  - might ${plainLine(describeCapability(grant), 400)}`).join('\n'),
    factTable(io, 'What led to it', history),
    factTable(io, 'The last it asked for and was refused', refused),
    factTable(io, 'The last it logged, in its own words', log),
  ].filter((part) => part !== '').join('\n\n');
}

function factTable(io: Io, title: string, all: Evidence['history']): string {
  return all.length === 0 ? '' : `${title}:\n${table(io, all, { at: ({ at }) => at, what: ({ at: _at, ...fact }) => plainLine(inWords(fact), 400) }, '')}`;
}

const inWords = (values: object) => Object.entries(values).map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`).join(', ');
