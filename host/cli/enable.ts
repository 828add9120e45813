// `gatehouse plugins enable`: a package, a first-party id, or an instance that was disabled. Called by commands/plugins.ts.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Grant } from '../../schemas/capability.ts';
import { describeCapability } from '../trust/powers/describe-capability.ts';
import { systemClock } from '../clock.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import { writeEnabled } from '../registry/enablement-file.ts';
import type { LoadedEnablement } from '../registry/discover.ts';
import type { VerifiedRelease } from '../trust/verify.ts';
import { grantChanges, grantsOf } from '../trust/powers/grant-changes.ts';
import { locatePackage } from '../registry/package-source.ts';
import { agreeToSigner } from './agree-offline.ts';
import { findHost } from './client.ts';
import { configOf } from './context.ts';
import { defaultInstance, enablementFor, requestInWords, type Choices } from './enable-package.ts';
import { choicesOf, isChoice, type EnableOptions } from './enable-options.ts';
import { findEnablement, readAsWritten, writeEnablement } from './enablement-files.ts';
import { installPackage, trustFirstParty, verifyForHome } from './install-package.ts';
import { plain, plainLine, type Io } from './io.ts';
import { refuseRollback } from './rollback.ts';
import { findingLines } from './finding-lines.ts';
import { scanForHome } from './scan-package.ts';
import { becameOf, takeUp } from './taken-up.ts';
import { worstInWords } from '../trust/scan/scan.ts';

const FIRST_PARTY_ID = /^gatehouse\.[a-z][a-z0-9-]*$/;

export async function enable(target: string, options: EnableOptions, io: Io): Promise<void> {
  const config = configOf(io);
  const choices = choicesOf(options, { cwd: io.cwd, home: config.home });
  const present = await findEnablement(config, target);
  if (!present) return enablePackage(await packagePath(target, config, io), choices, config, io);
  if (isChoice(choices)) return enablePackage(await locatePackage(config.home, present), { ...choices, instance: target }, config, io);
  return enableInstance(present, config, io);
}

/** Only what was switched off is switched on again: grants stay as they were. */
async function enableInstance(present: LoadedEnablement, config: ResolvedConfig, io: Io): Promise<void> {
  const { path, enablement: { instance } } = present;
  await writeEnabled(path, true);
  const host = findHost(io);
  if (!host) await agreeOffline(present, config);
  const view = host && (await takeUp(instance, host, io));
  io.print(view ?? { instance, enabled: true, file: path }, () => (view ? becameOf(io, view) : `${instance} is enabled; it starts with the host.`));
}

/** A path, or a first-party plugin, shipped or built where it lies, and trusted by this home from now on. */
async function packagePath(target: string, config: ResolvedConfig, io: Io): Promise<string> {
  const path = resolve(io.cwd, target);
  if (!FIRST_PARTY_ID.test(target) || existsSync(path)) return path;
  const { firstParty } = await import('../authoring/shipped.ts'); // brings the bundler along
  const { plugins, record } = await firstParty({ now: systemClock.now(), only: [target] });
  await trustFirstParty(config, record);
  return plugins[0]?.path ?? path;
}

async function enablePackage(path: string, choices: Choices, config: ResolvedConfig, io: Io): Promise<void> {
  const release = await verifyForHome(path, config, systemClock);
  const { manifest } = release;
  const instance = choices.instance ?? defaultInstance(manifest.id);
  const present = await findEnablement(config, instance);
  if (present && present.enablement.plugin !== manifest.id) {
    throw new GatehouseError('INSTANCE_TAKEN', { instance, plugin: present.enablement.plugin, file: present.file });
  }
  const earlier = present && (await readAsWritten(present));
  const enablement = enablementFor({ release, choices: { ...choices, instance }, earlier, egress: config.egress });
  await refuseRollback({ release, instance, allowed: earlier?.allowRollback ?? false }, config, io);
  const { grants = [] } = enablement;
  const changes = grantsToTell({ asked: grantsOf(manifest.capabilities ?? []), earlier: earlier?.grants ?? [], now: grants });
  describe(manifest, io);
  await tellScan(release, instance, config, io);
  if (present) await tellChange(present, release, config, io);
  if (earlier) tellGrants(grants, changes, io);
  else if (changes.missing.length > 0) io.say('It is given none of what it asks for.');
  await io.confirm(`${present ? 'Change' : 'Enable'} '${instance}' with this?`);
  if ((await installPackage(config, release, systemClock)) === 'repaired') io.say(`The copy in ${enablement.source} was not what its publisher signed; it was replaced.`);
  const file = await writeEnablement(config, enablement, present);
  const host = findHost(io);
  if (!host) await agreeToSigner(instance, release, config);
  if (host) io.say(`${file} is written; the running host takes it up.`);
  const view = host && (await takeUp(instance, host, io));
  const enabled = { instance, plugin: manifest.id, version: manifest.version, digest: release.packageDigest, source: enablement.source, file, grants, ...changes, running: view !== undefined };
  io.print(view ? { ...enabled, state: view.state, code: view.code, message: view.message } : enabled, () => `${instance} is enabled: ${file}\n${view ? becameOf(io, view) : 'It starts with the host.'}`);
}

/** What the scanner says, before anybody agrees. Throws SCAN_BLOCKED: nobody could agree to that. */
async function tellScan(release: VerifiedRelease, instance: string, config: ResolvedConfig, io: Io): Promise<void> {
  const scan = await scanForHome(release, config);
  if (scan.outcome === 'pass') return;
  io.say([`The scanner looked through it: risk ${scan.risk}.`, ...findingLines(io, scan.findings, { brief: true })].join('\n'));
  const { id: plugin, version } = release.manifest;
  if (scan.outcome === 'block') throw new GatehouseError('SCAN_BLOCKED', { instance, plugin, version, risk: scan.risk, findings: worstInWords(scan) });
  if (config.trust.scan?.onWarn !== 'report' && !release.development) io.say('It will wait until a reviewer has approved it: `gatehouse approve`.');
}

/** Its files may lead to a release that a start would ask about. What cannot be read or does not verify is the start's to tell. */
async function agreeOffline(present: LoadedEnablement, config: ResolvedConfig): Promise<void> {
  try {
    await agreeToSigner(present.enablement.instance, await verifyForHome(await locatePackage(config.home, present), config, systemClock), config);
  } catch (thrown) {
    if (!(thrown instanceof GatehouseError)) throw thrown;
  }
}

/** Another signer than of the package that is enabled now, as far as that can still be read. */
async function tellChange(present: LoadedEnablement, after: VerifiedRelease, config: ResolvedConfig, io: Io): Promise<void> {
  try {
    const before = await verifyForHome(await locatePackage(config.home, present), config, systemClock);
    if (before.keyid !== after.keyid) io.say(io.tone('red', `It is signed by ${after.keyid}; the package that is enabled now (${before.manifest.version}) by ${before.keyid}.`));
  } catch (thrown) {
    if (!(thrown instanceof GatehouseError)) throw thrown;
  }
}

/** What a person agrees to, on stderr; shown with --yes too, for whoever reads the log of a script. */
function describe(manifest: Parameters<typeof requestInWords>[0], io: Io): void {
  io.say(`${plainLine(manifest.displayName)} (${manifest.id} ${manifest.version}, ${manifest.kind}) by ${manifest.publisher}\n${plain(manifest.description)}`);
  const lines = requestInWords(manifest);
  io.say(lines.length === 0 ? 'It asks for nothing.' : lines.map((line) => `  - it ${plainLine(line, 400)}`).join('\n'));
}

interface GrantsToTell {
  /** Given before, not any more. */
  readonly dropped: readonly Grant[];
  /** Asked for and not given at all. */
  readonly missing: readonly Grant[];
  /** Asked for with wider bounds than are given. */
  readonly wider: readonly Grant[];
}

function grantsToTell({ asked, earlier, now }: { readonly asked: readonly Grant[]; readonly earlier: readonly Grant[]; readonly now: readonly Grant[] }): GrantsToTell {
  const { removed, narrowed } = grantChanges(earlier, now);
  const { added, widened } = grantChanges(now, asked);
  return { dropped: [...removed, ...narrowed.map(({ before }) => before)], missing: added, wider: widened.map(({ after }) => after) };
}

/** For whoever enables a package again: an upgrade never gives more by itself, and says so. */
function tellGrants(grants: readonly Grant[], { dropped, missing, wider }: GrantsToTell, io: Io): void {
  const lines = (what: string, which: readonly Grant[]) => which.map((grant) => `  ${what.padEnd(14)}  ${plainLine(describeCapability(grant), 400)}`);
  const told = [
    ...lines('in force', grants),
    ...lines('dropped', dropped),
    ...lines('not granted', missing),
    ...lines('wider, not yet', wider),
  ];
  if (told.length > 0) io.say(['Grants after this:', ...told].join('\n'));
  if (missing.length + wider.length > 0) io.say('To give all it asks for, run this again with `--grants requested`.');
}
