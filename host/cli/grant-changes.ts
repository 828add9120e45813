// What happens to grants when a package is enabled again: what stays in force, what is gone, what is asked for beyond them. Called by enable.ts and enable-package.ts.
import { isDeepStrictEqual } from 'node:util';
import type { Capability, Grant } from '../../schemas/capability.ts';
import { judgeGrant } from '../registry/grants.ts';

export interface GrantChanges {
  /** Given before, not any more. */
  readonly dropped: readonly Grant[];
  /** Asked for and not given at all. */
  readonly missing: readonly Grant[];
  /** Asked for with wider bounds than are given. */
  readonly wider: readonly Grant[];
}

/** As asked for, without the author's reasons: those are arguments, not powers. */
export function grantsOf(capabilities: readonly Capability[]): Grant[] {
  return capabilities.map(({ reason: _reason, ...grant }) => grant);
}

/**
 * The operator's grants, as far as the new manifest still asks for them; a start would refuse the others. Where it asks for less of the same,
 * that is what is left. Nothing is ever added.
 */
export function grantsKept(asked: readonly Grant[], earlier: readonly Grant[]): Grant[] {
  return earlier.flatMap((grant) => {
    if (!judgeGrant(asked, grant)) return [grant];
    return asked.filter((each) => each.name === grant.name && !judgeGrant([grant], each));
  });
}

export function grantChanges(asked: readonly Grant[], earlier: readonly Grant[], now: readonly Grant[]): GrantChanges {
  const beyond = asked.filter((each) => judgeGrant(now, each) !== undefined);
  return {
    dropped: earlier.filter((grant) => !now.some((each) => isDeepStrictEqual(each, grant))),
    missing: beyond.filter(({ name }) => !now.some((each) => each.name === name)),
    wider: beyond.filter(({ name }) => now.some((each) => each.name === name)),
  };
}
