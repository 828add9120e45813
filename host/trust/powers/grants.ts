// A grant only narrows: what one grant exceeds another in, and what two of them both allow; one pure function a capability. Called by examine.ts, grant-changes.ts and whoever keeps grants over an upgrade.
import { isDeepStrictEqual } from 'node:util';
import type { Capability, CapabilityName, CapabilityOf, Grant } from '../../../schemas/capability.ts';

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

/** What both sides allow, never more than either; nothing is said twice. */
export function commonGrants(one: readonly Grant[], other: readonly Grant[]): Grant[] {
  const common = one.flatMap((grant) => other.filter(({ name }) => name === grant.name).flatMap((each) => commonOf(grant.name, grant, each) ?? []));
  const isWithin = (grant: Grant, wider: Grant) => judgeGrant([wider], grant) === undefined;
  return common.filter((grant, at) => !common.some((each, place) => place !== at && isWithin(grant, each) && (place < at || !isWithin(each, grant))));
}

/** Both are of the capability `name`. */
function commonOf<N extends CapabilityName>(name: N, one: CapabilityOf<N>, other: CapabilityOf<N>): Grant | undefined {
  return COMMON[name](one, other);
}

const COMMON: { readonly [N in CapabilityName]: (one: CapabilityOf<N>, other: CapabilityOf<N>) => Grant | undefined } = {
  'http.fetch'({ quota, ...one }, other) {
    const origins = one.origins.filter((origin) => other.origins.some((each) => originText(each) === originText(origin)));
    const methods = one.methods.filter((method) => other.methods.includes(method));
    return origins.length === 0 || methods.length === 0 ? undefined : { ...one, origins, methods, ...lower(quota, other.quota) };
  },

  kv: (one, other) => ({ ...one, quotaBytes: Math.min(one.quotaBytes, other.quotaBytes) }),

  'secret.use': (one, other) => (excessOf('secret.use', other, one) === undefined ? one : undefined),

  'message.send'({ quota, ...one }, other) {
    const instances = one.instances.filter((instance) => other.instances.includes(instance));
    return instances.length === 0 ? undefined : { ...one, instances, ...lower(quota, other.quota) };
  },

  'message.read': (one) => one,

  'tool.call'({ quota, ...one }, other) {
    const tools = one.tools.filter((tool) => other.tools.includes(tool));
    return tools.length === 0 ? undefined : { ...one, tools, ...lower(quota, other.quota) };
  },

  ui: (one) => one,
};

interface Quota {
  readonly perMinute?: number;
  readonly bytesPerDay?: number;
}

/** The lower of each bound; none only where neither side has one. */
function lower(one: Quota = {}, other: Quota = {}): { quota?: { perMinute?: number; bytesPerDay?: number } } {
  const least = (a = Infinity, b = Infinity) => Math.min(a, b);
  const perMinute = least(one.perMinute, other.perMinute);
  const bytesPerDay = least(one.bytesPerDay, other.bytesPerDay);
  const quota = { ...(perMinute === Infinity ? {} : { perMinute }), ...(bytesPerDay === Infinity ? {} : { bytesPerDay }) };
  return Object.keys(quota).length === 0 ? {} : { quota };
}

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
