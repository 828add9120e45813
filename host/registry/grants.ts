// A grant only narrows: what the operator gave, held against what the manifest asks for, one pure function a capability. Called by resolve.ts.
import { isDeepStrictEqual } from 'node:util';
import type { Capability, CapabilityName, CapabilityOf, Grant } from '../../schemas/capability.ts';

/** Why a grant may not be given. */
export type GrantFinding = { readonly code: 'GRANT_NOT_REQUESTED' } | { readonly code: 'GRANT_TOO_WIDE'; readonly problem: string };

/** A grant must fit into one single capability the manifest asks for; reasons are words and not compared. */
export function judgeGrant(requested: readonly Capability[], grant: Grant): GrantFinding | undefined {
  const excesses = requested.filter(({ name }) => name === grant.name).map((asked) => excessOf(grant.name, asked, grant));
  if (excesses.length === 0) return { code: 'GRANT_NOT_REQUESTED' };
  if (excesses.includes(undefined)) return undefined;
  return { code: 'GRANT_TOO_WIDE', problem: excesses[0] ?? '' };
}

/** Both are of the capability `name`. */
function excessOf<N extends CapabilityName>(name: N, asked: CapabilityOf<N>, grant: CapabilityOf<N>): string | undefined {
  return EXCESS[name](asked, grant);
}

/** In what a grant exceeds what was asked for, to continue "… is wider than the manifest asks: "; undefined when in nothing. */
const EXCESS: { readonly [N in CapabilityName]: (asked: CapabilityOf<N>, grant: CapabilityOf<N>) => string | undefined } = {
  'http.fetch': (asked, grant) =>
    unasked('origin', asked.origins.map(originText), grant.origins.map(originText)) ??
    unasked('method', asked.methods, grant.methods) ??
    over('quota.perMinute', asked.quota?.perMinute, grant.quota?.perMinute) ??
    over('quota.bytesPerDay', asked.quota?.bytesPerDay, grant.quota?.bytesPerDay),

  kv: (asked, grant) => over('quotaBytes', asked.quotaBytes, grant.quotaBytes),

  'secret.use': (asked, grant) =>
    unasked('handle', [asked.handle], [grant.handle]) ??
    unasked('audience', [originText(asked.audience)], [originText(grant.audience)]) ??
    (isDeepStrictEqual(asked.inject, grant.inject) ? undefined : `it injects the secret '${grant.handle}' in another way`),

  'message.send': (asked, grant) => unasked('instance', asked.instances, grant.instances) ?? over('quota.perMinute', asked.quota?.perMinute, grant.quota?.perMinute),

  'message.read': () => undefined,

  'tool.call': (asked, grant) => unasked('tool', asked.tools, grant.tools) ?? over('quota.perMinute', asked.quota?.perMinute, grant.quota?.perMinute),

  ui: () => undefined,
};

function unasked(what: string, asked: readonly string[], granted: readonly string[]): string | undefined {
  const excess = granted.find((each) => !asked.includes(each));
  return excess === undefined ? undefined : `the ${what} '${excess}' is not among '${asked.join("', '")}'`;
}

/** No bound is the widest bound. */
function over(what: string, asked: number | undefined, granted: number | undefined): string | undefined {
  if (asked === undefined || (granted !== undefined && granted <= asked)) return undefined;
  return granted === undefined ? `it has no ${what}, the manifest asks for ${asked}` : `${what} is ${granted}, the manifest asks for ${asked}`;
}

type Origin = CapabilityOf<'secret.use'>['audience'];

/** One spelling for each origin: the default port is left out. What the operator fills in is compared by the place it is filled in. */
function originText(origin: Origin): string {
  return typeof origin === 'string' ? (URL.parse(origin)?.origin ?? origin) : `config ${origin.config}`;
}
