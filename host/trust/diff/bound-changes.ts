// What exactly one grant allows beyond another of its kind: the origin, the method, the quota, in a phrase each. Whether it is wider is grants.ts's to say. Called by diff.ts.
import type { Grant } from '../../../schemas/capability.ts';

/** Both are of one capability; for what only one of them allows. */
export function boundsBeyond(one: Grant, other: Grant): string[] {
  const [here, there] = [boundsOf(one), boundsOf(other)];
  return [
    ...Object.entries(here.lists).flatMap(([what, values]) => values.filter((value) => !there.lists[what]?.includes(value)).map((value) => `${what} ${value}`)),
    ...Object.keys({ ...here.quotas, ...there.quotas }).flatMap((what) => {
      const [mine, others] = [here.quotas[what], there.quotas[what]];
      if (others === undefined || (mine !== undefined && mine <= others)) return [];
      return [mine === undefined ? `${what} without a limit instead of ${others}` : `${what} ${mine} instead of ${others}`];
    }),
    ...(here.way !== undefined && here.way !== there.way ? [`used as ${here.way}`] : []),
  ];
}

interface Bounds {
  readonly lists: Readonly<Record<string, readonly string[]>>;
  /** Absent or undefined is no limit. */
  readonly quotas: Readonly<Record<string, number | undefined>>;
  /** Of a secret: how it is used. */
  readonly way?: string;
}

function boundsOf(grant: Grant): Bounds {
  switch (grant.name) {
    case 'http.fetch':
      return { lists: { origin: grant.origins.map(originText), method: grant.methods }, quotas: { 'requests a minute:': grant.quota?.perMinute, 'bytes a day:': grant.quota?.bytesPerDay } };
    case 'kv':
      return { lists: {}, quotas: { 'bytes kept:': grant.quotaBytes } };
    case 'secret.use':
      return { lists: { secret: [grant.handle], audience: [originText(grant.audience)] }, quotas: {}, way: JSON.stringify(grant.inject) };
    case 'message.send':
      return { lists: { instance: grant.instances }, quotas: { 'messages a minute:': grant.quota?.perMinute } };
    case 'tool.call':
      return { lists: { tool: grant.tools }, quotas: { 'calls a minute:': grant.quota?.perMinute } };
    case 'message.read':
    case 'ui':
      return { lists: {}, quotas: {} };
    default:
      return grant satisfies never;
  }
}

const originText = (origin: string | { readonly config: string }): string => (typeof origin === 'string' ? origin : `of config ${origin.config}`);
