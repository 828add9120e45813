// Says in plain words what a capability lets a plugin do. Used wherever a person decides or is told: `inspect`, `plugins`, and what a reload held back.
import type { Capability, OriginOrConfig } from '../../../schemas/capability.ts';
import type { Static } from 'typebox';

/** One sentence without a subject: "send GET requests to https://api.example, at most 60 a minute". Author's text is quoted as it came: make it safe before printing. */
export function describeCapability(capability: Capability): string {
  switch (capability.name) {
    case 'http.fetch':
      return `send ${capability.methods.join(', ')} requests to ${capability.origins.map(originText).join(', ')}${quotaText(capability.quota)}`;
    case 'kv':
      return `keep up to ${bytesText(capability.quotaBytes)} of its own data`;
    case 'secret.use': {
      const way = 'hmac' in capability.inject ? `to sign what it sends, in the header '${capability.inject.hmac.header}'` : `in the header '${capability.inject.header}'`;
      return `use the secret '${capability.handle}' towards ${originText(capability.audience)}, ${way}; it never sees the value`;
    }
    case 'message.send':
      return `write messages by itself through ${capability.instances.join(', ')}${quotaText(capability.quota)}`;
    case 'message.read':
      return 'read the conversations of its own instance';
    case 'tool.call':
      return `call the tools ${capability.tools.join(', ')}${quotaText(capability.quota)}`;
    case 'ui':
      return "show its pages as part of this host's own site";
    default:
      return capability satisfies never;
  }
}

function originText(origin: Static<typeof OriginOrConfig>): string {
  return typeof origin === 'string' ? origin : `the address you set in config ${origin.config}`;
}

function quotaText(quota: { readonly perMinute?: number; readonly bytesPerDay?: number } | undefined): string {
  const limits = [
    ...(quota?.perMinute === undefined ? [] : [`${quota.perMinute} a minute`]),
    ...(quota?.bytesPerDay === undefined ? [] : [`${bytesText(quota.bytesPerDay)} a day`]),
  ];
  return limits.length === 0 ? '' : `, at most ${limits.join(' and ')}`;
}

function bytesText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB'];
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${Number.isInteger(size) ? size : size.toFixed(1)} ${units[unit]}`;
}
