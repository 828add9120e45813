// What a reviewer is shown before deciding: who made it, what it would be given, what changes against what is installed, what else was found. Called by approving.ts.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Grant } from '../../schemas/capability.ts';
import type { SecretReference } from '../../schemas/enablement.ts';
import type { Limits } from '../../schemas/plugin-manifest.ts';
import { systemClock } from '../clock.ts';
import type { ResolvedConfig } from '../config.ts';
import type { ResolvedEnablement } from '../registry/enablement-file.ts';
import type { Finding } from '../registry/examine.ts';
import type { Survey } from '../registry/survey.ts';
import { releaseDiff } from '../trust/diff/diff.ts';
import { sideOfRelease } from '../trust/diff/side.ts';
import { describeCapability } from '../trust/powers/describe-capability.ts';
import { describeRoute } from '../trust/powers/describe-ingress.ts';
import { verifyPackage, type VerifiedRelease } from '../trust/verify.ts';
import { findHost } from './client.ts';
import { diffLines } from './diff-lines.ts';
import { plainLine, type Io } from './io.ts';
import { facts } from './table.ts';
import type { PluginView } from '../../schemas/control.ts';

export interface Proposal {
  readonly instance: string;
  readonly enablement: ResolvedEnablement;
  readonly release: VerifiedRelease;
  readonly grantsDigest: string;
  /** With every address filled in. */
  readonly grants: readonly Grant[];
  readonly limits: Required<Limits>;
  readonly secrets: Readonly<Record<string, SecretReference>>;
  readonly findings: readonly Finding[];
}

/** What approvals are about stands in no finding. */
const OWN_RULE = 'approvals';

export async function approvalLines(io: Io, proposal: Proposal, look: Survey, config: ResolvedConfig): Promise<string[]> {
  const { instance, enablement, release, grantsDigest, grants, limits, secrets, findings } = proposal;
  const { manifest, publisher, keyid, packageDigest, issuedAt } = release;
  const asked = new Map((manifest.capabilities ?? []).map((each) => [describeCapability(each), each.reason]));
  const others = findings.filter(({ rule }) => rule !== OWN_RULE);
  const decided = look.approvalViews.filter((view) => view.instance === instance && view.packageDigest === packageDigest);
  const diff = await diffAgainstInstalled(io, release, instance, look, config);
  return [
    facts(io, {
      package: `${manifest.id} ${manifest.version} (${manifest.kind}), “${manifest.displayName}”`, publisher, 'signed by': keyid, issued: issuedAt, digest: packageDigest,
      instance, 'grants digest': grantsDigest, limits: Object.entries(limits).map(([name, value]) => `${name} ${value}`).join(', '), onQuarantine: enablement.onQuarantine,
    }),
    ...section('It would be allowed to:', grants.map((grant) => `${describeCapability(grant)}${reasonOf(asked.get(describeCapability(grant)))}`)),
    ...section('Requests it takes:', (manifest.channel?.ingress ?? []).map(describeRoute)),
    ...section('Secrets, and where they are read:', Object.entries(secrets).map(([handle, reference]) => `${handle}: ${JSON.stringify(reference)}`)),
    ...section('Found beside that:', others.map(({ rule, error, warning }) => `${warning ? 'warning' : 'refused'}, ${rule}: ${error.message}`)),
    ...section('Decided so far:', decided.map(({ reviewer, decision, note, counts, problem }) => `${decision} by ${reviewer}: ${note}${counts ? '' : ` (does not count: ${problem})`}`)),
    ...(diff === undefined ? [] : ['', diff]),
  ];
}

const reasonOf = (reason: string | undefined) => (reason === undefined ? '' : ` — “${reason}”`);

const section = (title: string, lines: readonly string[]) => (lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  - ${plainLine(line, 600)}`)]);

/** Against what runs, where a host tells and its package is still there, else against the other release that the files lead to. */
async function diffAgainstInstalled(io: Io, release: VerifiedRelease, instance: string, look: Survey, config: ResolvedConfig): Promise<string | undefined> {
  const running = await findHost(io)?.get<PluginView>(`/plugins/${encodeURIComponent(instance)}`).catch(() => undefined);
  const installed = [...look.plugins, ...look.refused].find((each) => each.instance === instance)?.release;
  const path = running?.version ? join(config.home, 'plugins', `${running.plugin}-${running.version}`) : installed?.path;
  if (path === undefined || !existsSync(path)) return undefined;
  const { profile, strict } = config;
  const before = await verifyPackage(path, { trust: look.understood.trust.store, revocations: look.understood.revocations, now: systemClock.now(), secondOpinion: 'always', profile, strict });
  if (!before.ok || before.release.packageDigest === release.packageDigest || (running && before.release.packageDigest !== running.digest)) return undefined;
  return diffLines(io, releaseDiff(sideOfRelease(before.release), sideOfRelease(release)));
}
