// What changes from one release to another, as a reviewer asks: who signs, may it do more, what else. Pure. Called by `gatehouse diff`.
import semver from 'semver';
import type { Grant } from '../../../schemas/capability.ts';
import type { ReleaseDiff } from '../../../schemas/release-diff.ts';
import { describeCapability } from '../powers/describe-capability.ts';
import type { Rebound } from '../powers/grant-changes.ts';
import { isWider, powerChanges, type PowerChanges } from '../powers/powers.ts';
import { boundsBeyond } from './bound-changes.ts';
import { componentChanges, fileChanges } from './content-changes.ts';
import { configChanges, identityChanges, toolChanges } from './fact-changes.ts';
import { newConcerns, scanChanges } from './scan-changes.ts';
import type { Side } from './side.ts';

export function releaseDiff(before: Side, after: Side): ReleaseDiff {
  const changes = powerChanges(before.powers, after.powers);
  const direction = directionOf(before, after);
  const scan = scanChanges(before.findings, after.findings);
  const concerns = newConcerns(scan);
  const isOtherSigner = before.label.keyid !== after.label.keyid;
  return {
    before: before.label,
    after: after.label,
    direction,
    needsApproval: isWider(changes) || concerns.length > 0 || isOtherSigner || direction === 'rollback' || direction === 'other-plugin',
    reasons: [...identityReasons(before, after, direction, isOtherSigner), ...widerInWords(changes), ...concerns.map(({ rule, outcome, message }) => `the scanner ${outcome === 'block' ? 'refuses' : 'warns of'} something new: ${rule}: ${message}`)],
    narrower: narrowerInWords(changes),
    powers: powersOf(changes),
    identity: identityChanges(before, after),
    tools: toolChanges(before.manifest, after.manifest),
    config: configChanges(before.manifest, after.manifest),
    files: fileChanges(before.files, after.files),
    sbom: componentChanges(before, after),
    scan,
  };
}

function directionOf({ label: before }: Side, { label: after }: Side): ReleaseDiff['direction'] {
  if (before.id !== after.id) return 'other-plugin';
  const order = semver.compare(after.version, before.version);
  return order === 0 ? 'same-version' : order > 0 ? 'upgrade' : 'rollback';
}

function identityReasons({ label: before }: Side, { label: after }: Side, direction: ReleaseDiff['direction'], isOtherSigner: boolean): string[] {
  const signer = (keyid: string | null) => keyid ?? 'nobody';
  return [
    ...(direction === 'other-plugin' ? [`another plugin: ${after.id} instead of ${before.id}`] : []),
    ...(isOtherSigner ? [`another signer: ${signer(after.keyid)} instead of ${signer(before.keyid)}`] : []),
    ...(direction === 'rollback' ? [`an older version: ${after.version} instead of ${before.version}`] : []),
  ];
}

function powersOf({ grants: { added, removed, widened, narrowed }, limits, hooks }: PowerChanges): ReleaseDiff['powers'] {
  const rebound = ({ before, after }: Rebound) => ({ before, after, gained: boundsBeyond(after, before), lost: boundsBeyond(before, after) });
  const all = <T>(some: readonly T[]): T[] => [...some];
  return {
    added: all(added), removed: all(removed), widened: widened.map(rebound), narrowed: narrowed.map(rebound),
    limits: { raised: all(limits.raised), lowered: all(limits.lowered) }, hooks: { added: all(hooks.added), removed: all(hooks.removed) },
  };
}

/** `send GET requests … : also origin https://b.example`. The host's own words about what an author asks for: make them safe before printing. */
function widerInWords({ grants: { added, widened }, limits, hooks }: PowerChanges): string[] {
  return [
    ...added.map((grant) => `it may now ${describeCapability(grant)}`),
    ...widened.map(({ before, after }) => `${nameOf(after)} is wider: now also ${listed(boundsBeyond(after, before), 'in another combination')}`),
    ...hooks.added.map((hook) => `it now ${hook}`),
    ...limits.raised.map(({ limit, before, after }) => `${limit} rises from ${before} to ${after}`),
  ];
}

function narrowerInWords({ grants: { removed, narrowed }, limits, hooks }: PowerChanges): string[] {
  return [
    ...removed.map((grant) => `it may no longer ${describeCapability(grant)}`),
    ...narrowed.map(({ before, after }) => `${nameOf(before)} is narrower: no longer ${listed(boundsBeyond(before, after), 'in one grant together')}`),
    ...hooks.removed.map((hook) => `it no longer ${hook}`),
    ...limits.lowered.map(({ limit, before, after }) => `${limit} falls from ${before} to ${after}`),
  ];
}

const listed = (bounds: readonly string[], otherwise: string) => (bounds.length === 0 ? otherwise : bounds.join(', '));

const nameOf = (grant: Grant) => (grant.name === 'secret.use' ? `secret.use '${grant.handle}'` : grant.name);
