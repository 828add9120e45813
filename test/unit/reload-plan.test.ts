// What a look at the home comes to, case by case: the instance as it runs, what the files say now, and the changes that follow.
import { describe, expect, it } from 'vitest';
import { planOf, needsOf, powersOf, type Change, type Sighting, type Standing } from '../../host/reload/plan.ts';
import { isWider, powerChanges, powerChangesInWords } from '../../host/trust/powers/powers.ts';
import type { ResolvedEnablement } from '../../host/registry/enablement-file.ts';
import type { Findings } from '../../host/registry/instance.ts';
import type { RefusedPlugin, ResolvedPlugin } from '../../host/registry/resolve.ts';
import type { Grant } from '../../schemas/capability.ts';
import type { PluginState } from '../../schemas/control.ts';
import type { PluginManifest, SkillSection } from '../../schemas/plugin-manifest.ts';

const kv = (quotaBytes: number): Grant => ({ name: 'kv', quotaBytes });
const read: Grant = { name: 'message.read', conversations: 'own' };

function anEnablement(changes: Partial<ResolvedEnablement> = {}): ResolvedEnablement {
  return { plugin: 'acme.weather', instance: 'weather', version: '*', required: false, enabled: true, order: 100, allowRollback: false, grants: [], config: {}, secrets: {}, limits: {}, admit: {}, commands: {}, gates: {}, rooms: {}, approvals: 0, hibernate: true, onTimeout: 'refuse', source: 'plugins/weather', ...changes };
}

interface Running {
  readonly enablement?: Partial<ResolvedEnablement>;
  readonly manifest?: Partial<PluginManifest>;
  readonly digest?: string;
  readonly keyid?: string;
  readonly path?: string;
  readonly limits?: Partial<ResolvedPlugin['limits']>;
  readonly config?: ResolvedPlugin['config'];
  readonly grants?: readonly Grant[];
  readonly approvedBy?: readonly string[];
}

/** Findings of an instance that may run. */
function mayRun({ enablement: given = {}, manifest: changes = {}, digest = 'sha256:1', keyid = 'ed25519:1', path = '/home/plugins/weather', limits, config = given.config ?? {}, grants = given.grants ?? [], approvedBy = [] }: Running = {}): Findings {
  const enablement = anEnablement(given);
  const manifest: PluginManifest = { manifestVersion: 1, id: enablement.plugin, publisher: 'acme', version: '1.0.0', kind: 'skill', displayName: 'W', description: '', license: 'MIT', hostApi: '^1.0.0', ...changes };
  const release = { manifest, packageDigest: digest, keyid, publisher: 'acme', development: false, issuedAt: '', source: '', files: new Map(), path };
  const resolved: ResolvedPlugin = {
    instance: enablement.instance, kind: manifest.kind, enablement, manifestFile: 'manifests/plugins/weather.json', packagePath: path, release,
    limits: { heapMb: 32, cpuMsPerCall: 50, wallMsPerCall: 2000, concurrency: 64, ...limits }, grants, config, secrets: enablement.secrets, grantsDigest: 'sha256:2', approvedBy, required: enablement.required, order: enablement.order,
  };
  return { file: resolved.manifestFile, enablement, resolved };
}

interface Refusal extends Partial<Omit<RefusedPlugin, 'release' | 'claims'>> {
  readonly enablement?: Partial<ResolvedEnablement>;
  /** What the package on disk is; by default what runs. */
  readonly seen?: { readonly digest: string | null; readonly keyid: string | null } | null;
}

/** Findings of an instance that may not run. */
function refused({ enablement: given = {}, seen = { digest: 'sha256:1', keyid: 'ed25519:1' }, packagePath = '/home/plugins/weather', ...changes }: Refusal = {}): Findings {
  const enablement = anEnablement(given);
  const file = 'manifests/plugins/weather.json';
  const claims = seen && { packageDigest: seen.digest, keyid: seen.keyid, id: null, version: null, publisher: null };
  const release = seen?.digest == null ? undefined : mayRun({ digest: seen.digest }).resolved?.release;
  return {
    file, enablement,
    refused: { instance: enablement.instance, loaded: { path: `/home/${file}`, file, enablement }, state: 'rejected', code: 'RELEASE_FILES', message: 'no.', rule: 'release', grantsDigest: 'sha256:2', ...(seen ? { packagePath } : {}), ...(claims ? { claims } : {}), ...(release ? { release } : {}), ...changes },
  };
}

/** Findings of an instance that may run once somebody agrees, or time has passed. */
function waiting(running: Running, code: string): Findings {
  const { enablement, resolved } = mayRun(running);
  const { digest = 'sha256:1', keyid = 'ed25519:1', path = '/home/plugins/weather' } = running;
  const found = refused({ enablement, seen: { digest, keyid }, packagePath: path, code, state: 'pending-approval', rule: 'waits' });
  return resolved && found.refused ? { ...found, refused: { ...found.refused, wouldRun: resolved } } : found;
}

interface Case {
  readonly state?: PluginState;
  readonly before?: Findings;
  readonly now: Findings | undefined;
  readonly standing?: Partial<Standing>;
  readonly sighting?: Partial<Sighting>;
}

function plan({ state = 'active', before = mayRun(), now, standing, sighting }: Case): Change[] {
  return planOf([{ instance: 'weather', state, findings: before, isBusy: false, ...standing }], {
    found: new Map(now ? [[now.enablement.instance, now]] : []),
    withdrawalOf: () => undefined,
    isUnsettled: () => false,
    resolveGrants: (_, grants) => [...grants],
    ...sighting,
  });
}

/** `kind`, and of a reconfiguration what changes and whether the sandbox must be replaced. */
const told = (changes: readonly Change[]) => changes.map((change) => (change.kind === 'reconfigure' ? `reconfigure ${change.what.join(',')}${change.restart ? ' (restart)' : ''}` : change.kind)).join('; ');

const CHANGED = { seen: { digest: 'sha256:2', keyid: 'ed25519:1' } } as const;
const revoked: Partial<Sighting> = { withdrawalOf: () => ({ by: 'revocation', code: 'REVOKED', message: 'revoked' }) };
const distrusted: Partial<Sighting> = { withdrawalOf: () => ({ by: 'trust', code: 'KEY_UNTRUSTED', message: 'not trusted' }) };
const WOULD_RUN = mayRun().resolved as ResolvedPlugin;
const unsettled: Partial<Sighting> = { isUnsettled: () => true };

describe('an instance that runs', () => {
  it.each<[string, Case, string]>([
    ['goes on when nothing changed', { now: mayRun() }, 'unchanged'],
    ['leaves when its enablement is gone', { now: undefined }, 'remove'],
    ['leaves when its enablement names another plugin', { now: mayRun({ enablement: { plugin: 'acme.other' } }) }, 'remove'],
    ['is switched off by its file', { now: { ...mayRun(), enablement: anEnablement({ enabled: false }) } }, 'disable'],

    ['is upgraded to another package', { now: mayRun({ digest: 'sha256:2', manifest: { version: '1.1.0' } }) }, 'upgrade'],
    ['is upgraded to another package in another folder', { now: mayRun({ digest: 'sha256:2', path: '/home/plugins/weather-2' }) }, 'upgrade'],
    ['is upgraded when it is still starting', { state: 'starting', now: mayRun({ digest: 'sha256:2' }) }, 'upgrade'],
    ['is upgraded between two sandboxes', { state: 'backoff', now: mayRun({ digest: 'sha256:2' }) }, 'upgrade'],
    ['waits with an upgrade while its sandbox is replaced', { now: mayRun({ digest: 'sha256:2' }), standing: { isBusy: true } }, 'wait'],
    ['is not upgraded again to what failed', { now: mayRun({ digest: 'sha256:2' }), standing: { failed: needsOf(mayRun({ digest: 'sha256:2' }).resolved as ResolvedPlugin) } }, 'keep'],
    ['is upgraded to something else than what failed', { now: mayRun({ digest: 'sha256:3' }), standing: { failed: needsOf(mayRun({ digest: 'sha256:2' }).resolved as ResolvedPlugin) } }, 'upgrade'],
    ['is upgraded to what failed when somebody asks for it', { now: mayRun({ digest: 'sha256:2' }), standing: { failed: needsOf(mayRun({ digest: 'sha256:2' }).resolved as ResolvedPlugin) }, sighting: { confirmed: 'weather' } }, 'upgrade'],

    ['takes another config into another sandbox', { now: mayRun({ enablement: { config: { units: 'metric' } } }) }, 'reconfigure config (restart)'],
    ['takes other limits into another sandbox', { now: mayRun({ enablement: { limits: { heapMb: 64 } }, limits: { heapMb: 64 } }) }, 'reconfigure limits (restart)'],
    ['takes another order, requirement and admission as it is', { now: mayRun({ enablement: { order: 5, required: true, admit: { denySenders: ['x'] } } }) }, 'reconfigure admit,order,required'],
    ['takes order at once even while its sandbox is replaced', { now: mayRun({ enablement: { order: 5 } }), standing: { isBusy: true } }, 'reconfigure order'],
    ['takes other secrets as it is', { now: mayRun({ enablement: { secrets: { key: { env: 'KEY' } } } }) }, 'reconfigure secrets'],
    ['takes another signature over the same content as it is, once somebody agreed to its signer', { now: mayRun({ keyid: 'ed25519:2' }) }, 'reconfigure signature'],
    ['takes the same package from another folder as it is', { now: mayRun({ path: '/home/plugins/moved' }) }, 'reconfigure source'],
    ['takes another pin of what runs as it is', { now: mayRun({ enablement: { digest: 'sha256:1' } }) }, 'reconfigure digest'],

    ['loses a grant at once', { before: mayRun({ enablement: { grants: [kv(5), read] } }), now: mayRun({ enablement: { grants: [read] } }) }, 'reconfigure grants'],
    ['has a grant narrowed at once', { before: mayRun({ enablement: { grants: [kv(5)] } }), now: mayRun({ enablement: { grants: [kv(2)] } }) }, 'reconfigure grants'],
    ['waits for somebody to agree to a new grant', { now: mayRun({ enablement: { grants: [read] } }) }, 'hold'],
    ['waits for somebody to agree to a higher quota', { before: mayRun({ enablement: { grants: [kv(5)] } }), now: mayRun({ enablement: { grants: [kv(6)] } }) }, 'hold'],
    ['gets a new grant once somebody agreed', { now: mayRun({ enablement: { grants: [read] } }), sighting: { confirmed: 'weather' } }, 'reconfigure grants'],
    ['gets nothing because somebody agreed to another’s', { now: mayRun({ enablement: { grants: [read] } }), sighting: { confirmed: 'other' } }, 'hold'],
    ['loses what was taken away while what is new waits', { before: mayRun({ enablement: { grants: [kv(5)] } }), now: mayRun({ enablement: { grants: [read] } }) }, 'hold; reconfigure grants'],
    ['takes all else of an edit while its new grant waits', { now: mayRun({ enablement: { grants: [read], order: 7, limits: { heapMb: 64 } }, limits: { heapMb: 64 } }) }, 'hold; reconfigure limits,order (restart)'],
    ['keeps bytes and settings while an upgrade that is given more waits', { now: mayRun({ digest: 'sha256:2', enablement: { grants: [read], order: 7 } }) }, 'hold'],
    ['keeps its config while an address in the new one waits', { before: mayRun({ enablement: { config: { to: 'a' } }, grants: [{ name: 'http.fetch', origins: ['https://a.example'], methods: ['GET'] }] }), now: mayRun({ enablement: { config: { to: 'b' } }, grants: [{ name: 'http.fetch', origins: ['https://b.example'], methods: ['GET'] }] }), sighting: { resolveGrants: () => [{ name: 'http.fetch', origins: ['https://a.example'], methods: ['GET'] }] } }, 'hold'],
    ['waits for somebody to agree to a trigger of a new package', { before: mayRun({ manifest: { skill: { triggers: { commands: ['weather'] } } } }), now: mayRun({ digest: 'sha256:2', manifest: { skill: { triggers: { commands: ['weather', 'all'] } } } }) }, 'hold'],
    ['waits for somebody to agree to a limit that a new package raises', { now: mayRun({ digest: 'sha256:2', limits: { heapMb: 512 } }) }, 'hold'],
    ['waits for somebody to agree to an older version that its enablement permits', { before: mayRun({ manifest: { version: '1.1.0' } }), now: mayRun({ digest: 'sha256:2', enablement: { allowRollback: true } }) }, 'hold'],
    ['does not ask again while what was agreed to is under way', { before: mayRun({ manifest: { version: '1.1.0' } }), now: mayRun({ digest: 'sha256:2', enablement: { allowRollback: true } }), standing: { isBusy: true } }, 'wait'],
    ['goes back once somebody agreed', { before: mayRun({ manifest: { version: '1.1.0' } }), now: mayRun({ digest: 'sha256:2', enablement: { allowRollback: true } }), sighting: { confirmed: 'weather' } }, 'upgrade'],
    ['waits for somebody to agree to another signer, of other content', { now: waiting({ digest: 'sha256:2', keyid: 'ed25519:2', path: '/home/plugins/weather-2' }, 'SIGNER_CHANGED') }, 'hold'],
    ['waits for somebody to agree to another signer, of the same content', { now: waiting({ keyid: 'ed25519:2' }, 'SIGNER_CHANGED') }, 'hold'],
    ['loses what was taken away while another signer waits', { before: mayRun({ enablement: { grants: [kv(5)] } }), now: waiting({ digest: 'sha256:2', keyid: 'ed25519:2', enablement: { grants: [kv(2)] } }, 'SIGNER_CHANGED') }, 'hold; reconfigure grants'],
    ['goes on while a release is too fresh', { now: waiting({ digest: 'sha256:2' }, 'RELEASE_TOO_FRESH') }, 'refuse'],
    ['loses what was taken away while a release is too fresh', { before: mayRun({ enablement: { grants: [kv(5), read] } }), now: waiting({ digest: 'sha256:2', enablement: { grants: [kv(5)] } }, 'RELEASE_TOO_FRESH') }, 'refuse; reconfigure grants'],
    ['gains nothing while a release is too fresh', { now: waiting({ digest: 'sha256:2', enablement: { grants: [read] } }, 'RELEASE_TOO_FRESH') }, 'refuse'],
    ['takes a raised limit that the operator wrote', { now: mayRun({ digest: 'sha256:2', limits: { heapMb: 512 }, enablement: { limits: { heapMb: 512 } } }) }, 'upgrade'],

    ['has drifted when its package is broken', { now: refused(CHANGED) }, 'drift'],
    ['has drifted when its package is gone', { now: refused({ seen: null, rule: 'package', code: 'PACKAGE_NOT_FOUND' }) }, 'drift'],
    ['has drifted when its package leads out of the home', { now: refused({ seen: null, rule: 'package', code: 'PACKAGE_OUTSIDE_HOME' }) }, 'drift'],
    ['has drifted when its signature is broken', { now: refused({ code: 'RELEASE_SIGNATURE' }) }, 'drift'],
    ['has drifted when another key signed it', { now: refused({ seen: { digest: 'sha256:1', keyid: 'ed25519:9' }, code: 'KEY_UNTRUSTED' }) }, 'drift'],
    ['has drifted when an older version lies in its place', { now: refused({ ...CHANGED, rule: 'rollback', code: 'ROLLBACK' }) }, 'drift'],
    ['has drifted when the same version has other bytes', { now: refused({ ...CHANGED, rule: 'same-version', code: 'SAME_VERSION_CHANGED' }) }, 'drift'],
    ['has drifted when a newer version lies there and another is pinned', { now: refused({ ...CHANGED, rule: 'digest', code: 'DIGEST_MISMATCH' }) }, 'drift'],
    ['has not drifted while its package is being written', { now: refused(CHANGED), sighting: unsettled }, 'wait'],
    ['has not drifted when it is switched off', { now: { ...refused(CHANGED), enablement: anEnablement({ enabled: false }) } }, 'disable'],

    ['goes on when its file leads to a package that is not there', { now: refused({ seen: null, rule: 'package', code: 'PACKAGE_NOT_FOUND', enablement: { source: 'plugins/other' } }) }, 'refuse'],
    ['goes on when its file leads to a broken package elsewhere', { now: refused({ ...CHANGED, packagePath: '/home/plugins/weather-2' }) }, 'refuse'],
    ['goes on when its file leads to a revoked package elsewhere', { now: refused({ ...CHANGED, packagePath: '/home/plugins/weather-2', state: 'revoked', code: 'REVOKED' }) }, 'refuse'],
    ['goes on when its file pins another digest', { now: refused({ rule: 'digest', code: 'DIGEST_MISMATCH', enablement: { digest: 'sha256:9' } }) }, 'refuse'],
    ['goes on when its file asks for another version', { now: refused({ rule: 'version', code: 'VERSION_UNSATISFIED', enablement: { version: '^9.0.0' } }) }, 'refuse'],
    ['goes on when a newcomer claims its name', { now: refused({ rule: 'instance-collision', code: 'INSTANCE_COLLISION' }) }, 'refuse'],
    ['goes on when a secret is missing', { now: refused({ rule: 'secrets', code: 'SECRET_MISSING' }) }, 'refuse'],
    ['goes on when a genuine new package does not fit its config', { now: refused({ ...CHANGED, rule: 'config', code: 'PLUGIN_CONFIG_INVALID' }) }, 'refuse'],
    ['goes on when a new package lacks approvals', { now: refused({ ...CHANGED, rule: 'approvals', state: 'pending-approval', code: 'APPROVAL_MISSING' }) }, 'refuse'],

    ['goes on as it was when other limits lack approvals', { now: refused({ rule: 'approvals', state: 'pending-approval', code: 'APPROVAL_MISSING', grantsDigest: 'sha256:3', enablement: { limits: { heapMb: 64 } } }) }, 'refuse'],
    ['loses what was taken away while the rest of the edit lacks approvals', { before: mayRun({ enablement: { grants: [kv(5), read] } }), now: refused({ rule: 'approvals', state: 'pending-approval', code: 'APPROVAL_MISSING', grantsDigest: 'sha256:3', enablement: { grants: [kv(6)], order: 7 }, wouldRun: WOULD_RUN }) }, 'refuse; reconfigure grants'],
    ['loses what was taken away while a new package lacks approvals', { before: mayRun({ enablement: { grants: [kv(5), read] } }), now: refused({ ...CHANGED, rule: 'approvals', state: 'pending-approval', code: 'APPROVAL_MISSING', enablement: { grants: [read] }, wouldRun: WOULD_RUN }) }, 'refuse; reconfigure grants'],
    ['stops when what it runs by is not approved any more', { now: mayRun(), sighting: { withdrawalOf: () => ({ by: 'approvals', code: 'APPROVAL_MISSING', message: 'revoked' }) } }, 'withdraw'],
    ['gets a new grant that reviewers approved', { now: mayRun({ enablement: { grants: [read] }, approvedBy: ['alice'] }) }, 'reconfigure grants'],
    ['is upgraded to what is given more, once reviewers approved it', { now: mayRun({ digest: 'sha256:2', enablement: { grants: [read] }, approvedBy: ['alice'] }) }, 'upgrade'],
    ['takes no notice of one more approval', { now: mayRun({ approvedBy: ['alice', 'bob'] }) }, 'unchanged'],
    ['stops when approvals are asked for', { now: refused({ rule: 'approvals', state: 'pending-approval', code: 'APPROVAL_MISSING' }) }, 'withdraw'],
    ['stops when its key is no longer trusted for it', { now: refused({ code: 'KEY_EXPIRED' }) }, 'withdraw'],
    ['stops when its release has expired', { now: refused({ code: 'RELEASE_EXPIRED' }) }, 'withdraw'],
    ['stops when nobody trusts its key, wherever its file leads', { now: mayRun({ digest: 'sha256:2' }), sighting: distrusted }, 'withdraw'],
    ['stops when it is revoked', { now: refused({ state: 'revoked', code: 'REVOKED' }), sighting: revoked }, 'revoke'],
    ['stops when it is revoked though its enablement is gone', { now: undefined, sighting: revoked }, 'revoke'],
    ['stops when it is revoked, and makes room for another release', { now: mayRun({ digest: 'sha256:2' }), sighting: revoked }, 'revoke; add'],
    ['stops for a revocation even while its sandbox is replaced', { now: refused({ state: 'revoked', code: 'REVOKED' }), sighting: revoked, standing: { isBusy: true } }, 'revoke'],
  ])('%s', (_, given, expected) => {
    expect(told(plan(given))).toBe(expected);
  });

  it('settles after one step: what was taken up is unchanged at the next look', () => {
    const before = mayRun({ enablement: { grants: [kv(5)] } });
    const now = mayRun({ enablement: { grants: [kv(2), read], order: 7 } });
    const [hold, first] = plan({ before, now });
    expect(hold).toMatchObject({ kind: 'hold', powers: { grants: { added: [read], narrowed: [{ before: kv(5), after: kv(2) }] } } });
    const taken = first?.kind === 'reconfigure' ? first.found : before;
    expect(taken.resolved?.grants).toEqual([kv(2)]);
    expect(taken.enablement).toMatchObject({ order: 7, grants: [kv(2)] });
    expect(told(plan({ before: taken, now }))).toBe('hold');
    expect(told(plan({ before: taken, now, sighting: { confirmed: 'weather' } }))).toBe('reconfigure grants');
  });
});

describe('an instance that does not run', () => {
  const sick = refused();
  it.each<[string, Case, string]>([
    ['rejected, and its files say the same', { state: 'rejected', before: sick, now: refused() }, 'unchanged'],
    ['rejected, and its files were mended', { state: 'rejected', before: sick, now: mayRun() }, 'add'],
    ['rejected, and now for another reason', { state: 'rejected', before: sick, now: refused({ code: 'RELEASE_EXPIRED', message: 'late.' }) }, 'add'],
    ['rejected, and its package is being written', { state: 'rejected', before: sick, now: refused({ message: 'half.' }), sighting: unsettled }, 'wait'],
    ['rejected, and its enablement is gone', { state: 'rejected', before: sick, now: undefined }, 'remove'],
    ['revoked, and revoked no more', { state: 'revoked', before: sick, now: mayRun() }, 'add'],
    ['pending, and approvals are no longer asked for', { state: 'pending-approval', before: sick, now: mayRun() }, 'add'],
    ['disabled, and switched on by its file', { state: 'disabled', before: { ...mayRun(), enablement: anEnablement({ enabled: false }) }, now: mayRun() }, 'add'],
    ['disabled, and other settings', { state: 'disabled', before: { file: 'f', enablement: anEnablement({ enabled: false }) }, now: { file: 'f', enablement: anEnablement({ enabled: false, order: 3 }) } }, 'reconfigure order'],
    ['quarantined, whatever its package is now', { state: 'quarantined', now: mayRun({ digest: 'sha256:2' }) }, 'reconfigure digest'],
    ['quarantined, and switched off', { state: 'quarantined', now: { file: 'f', enablement: anEnablement({ enabled: false }) } }, 'disable'],
    ['quarantined, and its enablement is gone', { state: 'quarantined', now: undefined }, 'remove'],
    ['leaving', { state: 'draining', now: mayRun() }, 'wait'],
  ])('%s', (_, given, expected) => {
    expect(told(plan(given))).toBe(expected);
  });

  it('is a newcomer', () => {
    const newcomer = (now: Findings, sighting: Partial<Sighting> = {}) => told(planOf([], { found: new Map([['weather', now]]), withdrawalOf: () => undefined, isUnsettled: () => false, resolveGrants: () => [], ...sighting }));
    expect(newcomer(mayRun({ enablement: { grants: [kv(5)] } }))).toBe('add');
    expect(newcomer(refused())).toBe('add');
    expect(newcomer(refused(), unsettled)).toBe('wait');
  });
});

describe('several at once', () => {
  it('stop before anybody starts', () => {
    const named = (instance: string, findings: Findings): Findings => ({ ...findings, enablement: { ...findings.enablement, instance } });
    const standings = ['a', 'b', 'c', 'd'].map((instance): Standing => ({ instance, state: 'active', findings: named(instance, mayRun()), isBusy: false }));
    const found = new Map([['a', named('a', mayRun({ digest: 'sha256:2' }))], ['b', named('b', mayRun({ enablement: { order: 1 } }))], ['c', named('c', refused(CHANGED))], ['e', named('e', mayRun())]]);
    const changes = planOf(standings, { found, withdrawalOf: () => undefined, isUnsettled: () => false, resolveGrants: () => [] });
    expect(changes.map(({ kind, instance }) => `${kind} ${instance}`)).toEqual(['drift c', 'remove d', 'reconfigure b', 'upgrade a', 'add e']);
  });
});

describe('what an instance may do', () => {
  const powers = (before: Running, after: Running) => {
    const [one, other] = [mayRun(before).resolved, mayRun(after).resolved];
    const changes = powerChanges(powersOf(one as ResolvedPlugin), powersOf(other as ResolvedPlugin));
    return { isWider: isWider(changes), words: powerChangesInWords(changes) };
  };
  const channel = (verify: { scheme: 'none' } | { scheme: 'hmac-sha256'; secret: string; header: string; over: 'body' }, socket?: 'same' | 'any'): Running => ({
    manifest: { kind: 'channel', channel: { abilities: ['receive'], ingress: [{ method: 'POST', path: '/in', verify }], ...(socket ? { socket: { path: '/ws', conversation: { query: 'c' }, origin: socket, maxFrameBytes: 1 } } : {}) } },
  });
  const signed = { scheme: 'hmac-sha256', secret: 'signing', header: 'x-signature', over: 'body' } as const;
  const skill = (triggers?: { prefixes?: string[]; commands?: NonNullable<NonNullable<SkillSection['triggers']>['commands']>; always?: boolean }): Running => ({ manifest: { skill: triggers ? { triggers } : {} } });
  const moderating = (mode: 'gate' | 'observer', phase: 'policy' | 'telemetry' = 'policy', directions: ('inbound' | 'outbound')[] = ['inbound']): Running => ({ manifest: { kind: 'moderation', moderation: { mode, phase, directions } } });

  it.each<[string, Running, Running, string[]]>([
    ['a route that is no longer signed', channel(signed), channel({ scheme: 'none' }), ['added: takes POST /in from anyone']],
    ['a socket', channel(signed), channel(signed, 'same'), ['added: takes WebSockets at /ws from its own pages']],
    ['a socket for any page', channel(signed, 'same'), channel(signed, 'any'), ['added: takes WebSockets at /ws from pages of any site']],
    ['a command', skill({ commands: ['a'] }), skill({ commands: ['a', 'b'] }), ['added: answers the command /b']],
    ['a command for everyone', skill({ commands: [{ name: 'a', description: 'A.', permission: 'owners' }] }), skill({ commands: ['a'] }), ['added: answers the command /a']],
    ['every message', skill({ commands: ['a'] }), skill(), ['added: answers every message']],
    ['a gate where an observer was', moderating('observer'), moderating('gate'), ['added: decides on inbound messages in phase policy']],
    ['another direction', moderating('gate'), moderating('gate', 'policy', ['inbound', 'outbound']), ['added: decides on outbound messages in phase policy']],
    ['another phase', moderating('gate'), moderating('gate', 'telemetry'), ['added: decides on inbound messages in phase telemetry']],
    ['more memory', {}, { limits: { heapMb: 64 } }, ['widened: heapMb from 32 to 64']],
  ])('is more with %s', (_, before, after, words) => {
    expect(powers(before, after)).toEqual({ isWider: true, words });
  });

  it.each<[string, Running, Running]>([
    ['a route that is signed now', channel({ scheme: 'none' }), channel(signed)],
    ['a socket for its own pages only', channel(signed, 'any'), channel(signed, 'same')],
    ['a command instead of every message', skill(), skill({ commands: ['a'] })],
    ['a command for owners only, and with words about it', skill({ commands: ['a'] }), skill({ commands: [{ name: 'a', description: 'A.', permission: 'owners' }] })],
    ['a command that begins with its prefix', skill({ prefixes: ['/'] }), skill({ commands: ['a'] })],
    ['a longer prefix', skill({ prefixes: ['we'] }), skill({ prefixes: ['weather'] })],
    ['an observer where a gate was', moderating('gate'), moderating('observer')],
    ['less memory', {}, { limits: { heapMb: 16 } }],
  ])('is not more with %s', (_, before, after) => {
    expect(powers(before, after).isWider).toBe(false);
  });
});
