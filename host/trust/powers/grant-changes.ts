// What changes between two sets of grants: added, removed, widened, narrowed. Pure. reload/ asks before anything takes effect, `plugins enable` before a person agrees.
import type { Capability, Grant } from '../../../schemas/capability.ts';
import { judgeGrant } from './grants.ts';
import { describeCapability } from './describe-capability.ts';

/** The same power with other bounds. */
export interface Rebound {
  readonly before: Grant;
  readonly after: Grant;
}

export interface GrantChanges {
  readonly added: readonly Grant[];
  readonly removed: readonly Grant[];
  /** It allows something that it did not: another origin, method, instance, tool, or more of a quota. */
  readonly widened: readonly Rebound[];
  /** It no longer allows something; one whose bounds moved is both widened and narrowed. */
  readonly narrowed: readonly Rebound[];
}

/** By what they allow: order, spelling of origins and the author's reasons do not count. A grant must fit into one single grant of the other side, or it is a change. */
export function grantChanges(before: readonly Grant[], after: readonly Grant[]): GrantChanges {
  const gained = after.filter((grant) => judgeGrant(before, grant)).map((grant) => ({ after: grant, before: kin(before, grant) }));
  const lost = before.filter((grant) => judgeGrant(after, grant)).map((grant) => ({ before: grant, after: kin(after, grant) }));
  return {
    added: gained.flatMap(({ before: known, after: grant }) => (known ? [] : [grant])),
    removed: lost.flatMap(({ after: left, before: grant }) => (left ? [] : [grant])),
    widened: gained.flatMap(({ before: known, after: grant }) => (known ? [{ before: known, after: grant }] : [])),
    narrowed: lost.flatMap(({ after: left, before: grant }) => (left ? [{ before: grant, after: left }] : [])),
  };
}

/** As asked for, without the author's reasons: those are arguments, not powers. */
export function grantsOf(capabilities: readonly Capability[]): Grant[] {
  return capabilities.map(({ reason: _reason, ...grant }) => grant);
}

/** A sentence for each change, in the order a person should read them. */
export function grantChangesInWords({ added, removed, widened, narrowed }: GrantChanges): string[] {
  const rebound = ({ before, after }: Rebound) => `from “${describeCapability(before)}” to “${describeCapability(after)}”`;
  return [
    ...added.map((grant) => `added: ${describeCapability(grant)}`),
    ...widened.map((each) => `widened: ${rebound(each)}`),
    ...narrowed.map((each) => `narrowed: ${rebound(each)}`),
    ...removed.map((grant) => `removed: ${describeCapability(grant)}`),
  ];
}

/** What the same power was, or is now: the same secret, else the same capability. */
function kin(grants: readonly Grant[], { name, ...rest }: Grant): Grant | undefined {
  const handle = 'handle' in rest ? rest.handle : undefined;
  return grants.find((each) => each.name === name && (each.name !== 'secret.use' || each.handle === handle));
}
