// Grants that are wider than most plugins need, and powers that deserve a second look. Asked by the audit; what a grant may be at most is a matter of its manifest.
import type { CapabilityName, CapabilityOf } from '../../../schemas/capability.ts';
import type { AuditedHome, AuditedInstance, SecurityCheck, Sighting } from './check.ts';

/** Beyond so many a plugin is not a client of a service any more. */
const MANY_ORIGINS = 5;
const MANY_INSTANCES = 3;
const LARGE = { perMinute: 600, bytesPerDay: 1024 ** 3, quotaBytes: 256 * 1024 ** 2 } as const;

export const manyOrigins: SecurityCheck = {
  severity: 'medium',
  why: 'What one of the origins tells the plugin it can take to all of the others.',
  look: (home) => each(home, 'http.fetch', ({ origins }) => (origins.length > MANY_ORIGINS ? `it may send requests to ${origins.length} origins` : undefined), 'Grant only the origins that this instance needs'),
};

export const configOrigins: SecurityCheck = {
  severity: 'low',
  why: 'Where it leads is said in `config`, which is changed more lightly than a grant; the grants digest covers it all the same.',
  look: (home) => [
    ...each(home, 'http.fetch', ({ origins }) => withConfig(origins), 'Name the origin itself in the grant where the manifest asks for it'),
    ...each(home, 'secret.use', ({ audience }) => withConfig([audience]), 'Watch who may edit the file'),
  ],
};

const withConfig = (origins: readonly CapabilityOf<'secret.use'>['audience'][]): string | undefined => {
  const pointers = origins.flatMap((origin) => (typeof origin === 'string' ? [] : [origin.config]));
  return pointers.length === 0 ? undefined : `it reaches whatever its config says at ${pointers.join(', ')}`;
};

export const noQuota: SecurityCheck = {
  severity: 'low',
  why: 'Without a quota of its own a plugin that runs wild is held only by the bounds that all plugins have.',
  look: (home) => [
    ...each(home, 'http.fetch', ({ quota }) => missing(quota, ['perMinute', 'bytesPerDay']), 'Add a quota to the grant'),
    ...each(home, 'message.send', ({ quota }) => missing(quota, ['perMinute']), 'Add a quota to the grant'),
    ...each(home, 'tool.call', ({ quota }) => missing(quota, ['perMinute']), 'Add a quota to the grant'),
  ],
};

function missing(quota: Readonly<Record<string, number>> = {}, names: readonly string[]): string | undefined {
  const absent = names.filter((name) => quota[name] === undefined);
  return absent.length === 0 ? undefined : `its grant has no ${absent.map((name) => `quota.${name}`).join(' and no ')}`;
}

export const largeQuota: SecurityCheck = {
  severity: 'low',
  why: 'A quota that is never met stops nothing: neither data on its way out nor a disk that fills.',
  look: (home) => [
    ...each(home, 'http.fetch', ({ quota = {} }) => above({ perMinute: quota.perMinute, bytesPerDay: quota.bytesPerDay }), 'Lower the quota to what it uses'),
    ...each(home, 'kv', ({ quotaBytes }) => above({ quotaBytes }), 'Lower the quota to what it uses'),
    ...each(home, 'message.send', ({ quota = {} }) => above({ perMinute: quota.perMinute }), 'Lower the quota to what it uses'),
    ...each(home, 'tool.call', ({ quota = {} }) => above({ perMinute: quota.perMinute }), 'Lower the quota to what it uses'),
  ],
};

function above(quotas: Readonly<Partial<Record<keyof typeof LARGE, number | undefined>>>): string | undefined {
  const large = Object.entries(LARGE).flatMap(([name, most]) => {
    const value = Object.entries(quotas).find(([each]) => each === name)?.[1];
    return value !== undefined && value > most ? [`${name} of ${value}`] : [];
  });
  return large.length === 0 ? undefined : `its grant has a ${large.join(' and a ')}`;
}

export const sendsElsewhere: SecurityCheck = {
  severity: 'low',
  why: 'It may write to people by itself, in the host’s name, and not only answer them.',
  look: (home) => each(home, 'message.send', ({ instances }) => (instances.length > MANY_INSTANCES ? `it may write through ${instances.length} channels` : undefined), 'Grant only the channels it is for'),
};

/** What a tool does is said by the manifest of whoever offers it. */
export const writeTools: SecurityCheck = {
  severity: 'medium',
  why: 'A tool with effects does something in the world each time it is called, and whoever words the message can be who has it called.',
  look(home) {
    const writing = new Set<string>(home.instances.flatMap(({ manifest }) => (manifest?.tools ?? []).filter(({ effects }) => effects === 'write').map(({ name }) => `${manifest?.id}/${name}`)));
    return each(home, 'tool.call', ({ tools }) => {
      const called = tools.filter((tool) => writing.has(tool));
      return called.length === 0 ? undefined : `it may call tools with effects: ${called.join(', ')}`;
    }, 'Grant only the tools it needs, with a quota');
  },
};

export const raisedLimits: SecurityCheck = {
  severity: 'low',
  why: 'Its author asked for less: what it takes beyond that others do not have.',
  look: ({ diagnostics }) => diagnostics.filter(({ code }) => code === 'LIMIT_RAISED').map(({ instance = '', message, fix }) => ({ where: instance, found: message, fix })),
};

/** One sighting for each grant of this name that `problemOf` finds fault with. */
function each<N extends CapabilityName>({ instances }: AuditedHome, name: N, problemOf: (grant: CapabilityOf<N>) => string | undefined, fix: string): Sighting[] {
  return instances.flatMap((instance) => grantsNamed(instance, name).flatMap((grant) => {
    const found = problemOf(grant);
    return found === undefined ? [] : [{ where: instance.name, found: `${found} (${name})`, fix: `${fix} in ${instance.file}.` }];
  }));
}

function grantsNamed<N extends CapabilityName>({ enablement: { grants } }: AuditedInstance, name: N): CapabilityOf<N>[] {
  return grants.filter((grant): grant is Extract<typeof grant, CapabilityOf<N>> => grant.name === name);
}
