// A secret that the host puts into requests for one audience. Made from grants and secrets for one call; egress.ts asks it at every hop, and nobody else sees its value.
import { createHmac } from 'node:crypto';
import type { CapabilityOf, Grant } from '../../schemas/capability.ts';
import { GatehouseError } from '../errors.ts';
import { headerProblem } from '../registry/secrets.ts';
import { searchFor, type Search } from './secret-search.ts';

/** A request on its way to an audience. */
export interface Hop {
  readonly method: string;
  /** Path and query exactly as sent. */
  readonly target: string;
  readonly body: string;
}

export interface Injection {
  /** How plugin and operator call the secret. */
  readonly handle: string;
  /** The one origin it may go to. */
  readonly audience: string;
  /** The headers for one hop to the audience, names in lower case. */
  headersFor(hop: Hop): Readonly<Record<string, string>>;
  /** Whether the text holds the secret, or a signature that `headersFor` made with it, in any encoding that is tried. */
  leaksIn(text: string): boolean;
}

/** Who asks, and for which request. */
export interface InjectionUse {
  readonly instance: string;
  /** Where the request goes first; what its answers redirect to gets nothing. */
  readonly url: string;
}

type SecretGrant = CapabilityOf<'secret.use'>;

/**
 * What a request that names `handles` carries. Secrets that the instance is granted and the request does not name carry nothing and are looked for in the answer
 * all the same: a server may give back later what it was sent before. Values are asked of `secrets` now and live as long as the request.
 * Throws CAPABILITY_DENIED for a handle that is not granted for this origin, CAPABILITY_ARGUMENT when two write one header, SECRET_MISSING when a value cannot be read.
 */
export function injectionsFor(handles: readonly string[], grants: readonly Grant[], secrets: (handle: string) => string | undefined, { instance, url }: InjectionUse): readonly Injection[] {
  const origin = originOf(url);
  const granted = grants.filter((grant) => grant.name === 'secret.use');
  const named = [...new Set(handles)].flatMap((handle) => {
    const uses = granted.filter((grant) => grant.handle === handle && originOf(grant.audience) === origin);
    if (uses.length === 0) throw new GatehouseError('CAPABILITY_DENIED', { instance, capability: 'secret.use', value: ` for '${handle}' at '${origin}'` });
    return uses;
  });
  refuseClash(named);
  const injected = named.map((grant) => {
    const value = secrets(grant.handle);
    // Why not is the operator's to read, in `check` and `doctor`: it names files and variables.
    if (value === undefined || ('header' in grant.inject && headerProblem(value) !== undefined)) throw new GatehouseError('SECRET_MISSING', { instance, handle: grant.handle, problem: 'there is no usable value at this time' });
    return injectionOf(grant, origin, value);
  });
  const unnamed = new Set(granted.map(({ handle }) => handle).filter((handle) => !handles.includes(handle)));
  return [...injected, ...[...unnamed].flatMap((handle) => watchOf(handle, origin, secrets(handle)))];
}

function injectionOf({ handle, inject }: SecretGrant, audience: string, value: string): Injection {
  const searches: Search[] = [searchFor(value)];
  const leaksIn = (text: string) => searches.some((search) => search(text));
  if (!('hmac' in inject)) return { handle, audience, headersFor: () => ({ [inject.header.toLowerCase()]: `${inject.prefix ?? ''}${value}` }), leaksIn };
  const { header, prefix = '', over } = inject.hmac;
  return {
    handle,
    audience,
    headersFor({ target, body }) {
      const signature = createHmac('sha256', value).update(over === 'body' ? body : target).digest('hex');
      // A signature is a credential too: over a target it stands until the secret changes.
      searches.push(searchFor(signature));
      return { [header.toLowerCase()]: `${prefix}${signature}` };
    },
    leaksIn,
  };
}

/** Looked for, not sent. */
function watchOf(handle: string, audience: string, value: string | undefined): Injection[] {
  return value === undefined ? [] : [{ handle, audience, headersFor: () => ({}), leaksIn: searchFor(value) }];
}

function refuseClash(uses: readonly SecretGrant[]): void {
  for (const [header, [first, second]] of Map.groupBy(uses, headerOf)) {
    if (first && second) throw new GatehouseError('CAPABILITY_ARGUMENT', { capability: 'http.fetch', path: '/secrets', problem: `'${first.handle}' and '${second.handle}' both write the header '${header}'` });
  }
}

const headerOf = ({ inject }: SecretGrant) => ('hmac' in inject ? inject.hmac.header : inject.header).toLowerCase();

/** One spelling for each origin. A grant's audience was resolved when the enablement was; one that still points into the config is nowhere. */
const originOf = (origin: SecretGrant['audience']) => (typeof origin === 'string' ? (URL.parse(origin)?.origin ?? origin) : '');
