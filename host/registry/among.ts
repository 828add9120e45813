// Enablements beside each other: names claimed twice, packages that contradict each other, tools offered twice, requirements, gates that channels relax. Called by resolve.ts.
import semver from 'semver';
import { HOST_COMMAND_NAMES } from '../../schemas/plugin-manifest.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import type { Candidate, Finding } from './examine.ts';
import { judgeGates } from './gate-rules.ts';

type Policy = ResolvedConfig['collision'];

/** Adds a finding to every candidate that its neighbours rule out. Candidates come in the order of file names. */
export function judgeTogether(candidates: readonly Candidate[], policy: Policy): void {
  judgeInstances(candidates, policy);
  judgePackages(candidates, policy);
  judgeTools(candidates);
  judgeCommands(candidates);
  judgeRequirements(candidates);
  judgeGates(candidates);
}

export const mayRun = ({ findings }: Candidate) => findings.every(({ warning }) => warning);
export const isSuperseded = ({ findings }: Candidate) => findings.some(({ superseded }) => superseded);

/** Under `first` and `last` the instance runs all the same, from the other file: its claimant is told, not blamed. */
function judgeInstances(candidates: readonly Candidate[], policy: Policy): void {
  for (const [instance, claimants] of Map.groupBy(candidates, ({ loaded }) => loaded.enablement.instance)) {
    const chosen = chosenOf(claimants, policy);
    for (const claimant of claimants) {
      if (claimants.length === 1 || claimant === chosen) continue;
      const other = chosen ?? claimants.find((each) => each !== claimant) ?? claimant;
      const [first, second] = inOrder(candidates, claimant, other);
      const finding: Finding = { rule: 'instance-collision', error: new GatehouseError('INSTANCE_COLLISION', { instance, first: first.loaded.file, second: second.loaded.file }) };
      if (chosen) claimant.findings.splice(0, Infinity, { ...finding, superseded: true });
      else claimant.findings.push(finding);
    }
  }
}

/** One id and version is one content. */
function judgePackages(candidates: readonly Candidate[], policy: Policy): void {
  const released = candidates.filter((each) => each.release !== undefined && !isSuperseded(each));
  for (const same of Map.groupBy(released, ({ release }) => `${release?.manifest.id} ${release?.manifest.version}`).values()) {
    const chosen = chosenOf(same, policy);
    for (const candidate of same) {
      const other = chosen ?? same.find((each) => each.release?.packageDigest !== candidate.release?.packageDigest);
      if (!candidate.release || !other?.release || other.release.packageDigest === candidate.release.packageDigest) continue;
      const [first, second] = inOrder(candidates, candidate, other);
      const { id: plugin, version } = candidate.release.manifest;
      candidate.findings.push({ rule: 'package-collision', error: new GatehouseError('PACKAGE_COLLISION', { plugin, version, first: `${first.release?.path}`, second: `${second.release?.path}` }) });
    }
  }
}

/** A tool is addressed by plugin and name, so two instances of its plugin leave nobody knowing which is meant; no policy decides that. */
function judgeTools(candidates: readonly Candidate[]): void {
  const offering = candidates.filter(mayRun).filter(({ release }) => (release?.manifest.tools ?? []).length > 0);
  for (const [plugin, same] of Map.groupBy(offering, ({ release }) => release?.manifest.id)) {
    const [first, second] = same;
    if (!first || !second) continue;
    const tool = `${plugin}/${first.release?.manifest.tools?.[0]?.name}`;
    for (const candidate of same) {
      candidate.findings.push({ rule: 'tool-collision', error: new GatehouseError('TOOL_COLLISION', { tool, first: first.loaded.enablement.instance, second: second.loaded.enablement.instance }) });
    }
  }
}

/** A command has one skill, the first that is asked; the host's own go before all. Whoever goes without runs all the same. */
function judgeCommands(candidates: readonly Candidate[]): void {
  const owners = new Map<string, string>(HOST_COMMAND_NAMES.map((name) => [name, 'the host']));
  for (const { loaded, release, findings } of candidates.filter(mayRun).toSorted(asAsked)) {
    const { instance } = loaded.enablement;
    for (const declared of release?.manifest.skill?.triggers?.commands ?? []) {
      const command = typeof declared === 'string' ? declared : declared.name;
      const owner = owners.get(command);
      if (owner === undefined) owners.set(command, `'${instance}'`);
      else if (owner !== `'${instance}'`) findings.push({ rule: 'command-collision', warning: true, error: new GatehouseError('COMMAND_COLLISION', { instance, command, owner }) });
    }
  }
}

/** As members.ts has it. */
function asAsked({ loaded: a, release: of }: Candidate, { loaded: b, release: other }: Candidate): number {
  const [id = '', otherId = ''] = [of?.manifest.id, other?.manifest.id];
  if (a.enablement.order !== b.enablement.order) return a.enablement.order - b.enablement.order;
  if (id !== otherId) return id < otherId ? -1 : 1;
  return a.enablement.instance < b.enablement.instance ? -1 : 1;
}

/** Until nothing changes: whoever loses its requirement may have been somebody else's. */
function judgeRequirements(candidates: readonly Candidate[]): void {
  for (let changed = true; changed; ) {
    changed = false;
    for (const candidate of candidates.filter(mayRun)) {
      const missing = unmetRequirements(candidate, candidates).filter(({ optional }) => !optional);
      candidate.findings.push(...missing.map(({ finding }) => finding));
      changed ||= missing.length > 0;
    }
  }
  for (const candidate of candidates.filter(mayRun)) {
    candidate.findings.push(...unmetRequirements(candidate, candidates).map(({ finding }) => ({ ...finding, warning: true as const })));
  }
}

function unmetRequirements({ release }: Candidate, candidates: readonly Candidate[]): { optional: boolean; finding: Finding }[] {
  const running = candidates.filter(mayRun).flatMap((each) => each.release?.manifest ?? []);
  return (release?.manifest.requires ?? [])
    .filter(({ id, range }) => !running.some((manifest) => manifest.id === id && semver.satisfies(manifest.version, range)))
    .map(({ id: required, range, optional = false }) => ({
      optional,
      finding: { rule: 'requires', error: new GatehouseError('REQUIREMENT_MISSING', { plugin: release?.manifest.id, required, range }) },
    }));
}

function chosenOf(candidates: readonly Candidate[], policy: Policy): Candidate | undefined {
  if (candidates.length < 2 || policy === 'reject') return undefined;
  return policy === 'first' ? candidates[0] : candidates.at(-1);
}

function inOrder(all: readonly Candidate[], one: Candidate, other: Candidate): readonly [Candidate, Candidate] {
  return all.indexOf(one) < all.indexOf(other) ? [one, other] : [other, one];
}
