// Addresses that honest plugins rarely have a reason to know: raw IP addresses, the metadata services of clouds, and places made for passing things on unseen.
import { BlockList, isIP } from 'node:net';
import type { Capability } from '../../../../schemas/capability.ts';
import { MANIFEST_FILE } from '../../package-names.ts';
import { lineOf, quote, type Content, type ContentRule, type Sighting } from '../finding.ts';
import { otherTexts, scriptTexts, type Passage } from '../texts.ts';

export const suspiciousEndpoint: ContentRule = {
  name: 'suspicious-endpoint',
  *look({ script, ...content }) {
    const asks = (content.manifest.capabilities ?? []).some(({ name }) => name === 'http.fetch');
    yield* inOrigins(content);
    for (const passage of scriptTexts(script)) yield* inPassage(passage, asks);
    // What stands in the manifest was looked at above, where it is an address that is asked for; elsewhere it is words.
    for (const passage of otherTexts(content, { withReadme: false })) if (passage.file !== MANIFEST_FILE) yield* inPassage(passage, true);
  },
};

interface Suspicion {
  readonly what: string;
  readonly risk: 'low' | 'medium' | 'high' | 'critical';
}

/** Asked for in the open, where the operator sees it; a metadata service is asked for by nobody honest, and reaching it is how a cloud account is lost. */
function* inOrigins({ manifest: { capabilities = [] }, files }: Content): Iterable<Sighting> {
  const text = Buffer.from(files.get(MANIFEST_FILE) ?? []).toString('utf8');
  for (const origin of new Set(capabilities.flatMap(originsOf))) {
    const suspicion = suspicionOf(hostOf(origin));
    if (!suspicion || suspicion.risk === 'low') continue;
    yield {
      outcome: suspicion.risk === 'critical' ? 'block' : 'warn', risk: suspicion.risk, file: MANIFEST_FILE, line: lineOf(text, origin),
      message: `It asks to reach ${quote(origin)}: ${suspicion.what}.`,
      fix: suspicion.risk === 'critical' ? 'Take the origin out of plugin.json; no plugin is given this address.' : 'Ask for a service under a name of its own, or have a reviewer agree to this one.',
    };
  }
}

function originsOf(capability: Capability): string[] {
  const origins = capability.name === 'http.fetch' ? capability.origins : capability.name === 'secret.use' ? [capability.audience] : [];
  return origins.filter((origin) => typeof origin === 'string');
}

const hostOf = (origin: string) => origin.replace(/^[a-z]+:\/\//, '').replace(/:\d+$/, '');

/** Without http.fetch nothing leads there, and lists of bad places are what moderation plugins are made of. */
function* inPassage(passage: Passage, canReach: boolean): Iterable<Sighting> {
  const seen = new Set<string>();
  for (const { host, offset } of hostsIn(passage.text)) {
    const suspicion = suspicionOf(host);
    if (!suspicion || seen.has(host)) continue;
    seen.add(host);
    const isNote = !canReach || suspicion.risk === 'low';
    yield {
      outcome: isNote ? 'note' : 'warn', risk: isNote ? 'low' : suspicion.risk, file: passage.file, ...passage.placeOf(offset),
      message: `It knows the address ${quote(host)}: ${suspicion.what}.${canReach ? '' : ' It does not ask to reach anything.'}`,
      fix: 'Ask the author what the address is for; a service that is needed belongs into plugin.json under a name of its own.',
    };
  }
}

// --- Finding hosts ---------------------------------------------------------------------------------------------------------------------------------------

interface Sighted {
  readonly host: string;
  readonly offset: number;
}

/** After `//` whatever stands where a host would; elsewhere names of the list and addresses by themselves. Each pattern is linear. */
function* hostsIn(text: string): Iterable<Sighted> {
  let read = 0;
  for (let at = text.indexOf('//'); at !== -1; at = text.indexOf('//', at + 2)) {
    if (at > 0 && !/[:'"`\s(]/.test(text[at - 1] ?? '')) continue;
    const authority = /^[^\s/?#"'`<>\\]{1,300}/.exec(text.slice(at + 2, at + 302))?.[0] ?? '';
    const host = authority.slice(authority.lastIndexOf('@') + 1).replace(/:\d+$/, '').toLowerCase();
    if (host === '') continue;
    yield* namesIn(text.slice(read, at + 2), read);
    yield { host, offset: at + 2 };
    read = at + 2 + authority.length;
  }
  yield* namesIn(text.slice(read), read);
}

function* namesIn(text: string, start: number): Iterable<Sighted> {
  for (const { 0: name, index } of text.matchAll(LISTED)) {
    const [before, after] = [text[index - 1] ?? '', text.slice(index + name.length, index + name.length + 2)];
    if (!/[a-z0-9-]/i.test(before) && !/^(?:[a-z0-9-]|\.[a-z0-9])/i.test(after)) yield { host: name.toLowerCase(), offset: start + index };
  }
}

// --- Judging hosts ---------------------------------------------------------------------------------------------------------------------------------------

const METADATA = ['169.254.169.254', '169.254.170.2', '169.254.170.23', '100.100.100.200', '192.0.0.192', 'fd00:ec2::254', 'metadata.google.internal', 'metadata.goog', 'instance-data.ec2.internal'];

/** By what they are for; a name counts for everything below it. */
const PLACES: readonly (readonly [what: string, risk: 'medium' | 'high', names: readonly string[]])[] = [
  ['a place to leave texts for others without a name', 'high', ['pastebin.com', 'paste.ee', 'hastebin.com', 'ghostbin.com', 'rentry.co', 'controlc.com', 'termbin.com', 'dpaste.com', 'dpaste.org', 'privatebin.net', 'pastes.io', 'justpaste.it', '0x0.st']],
  ['a place to leave files for others without a name', 'high', ['transfer.sh', 'file.io', 'gofile.io', 'catbox.moe', 'anonfiles.com', 'bashupload.com', 'temp.sh', 'oshi.at']],
  ['a service that records whatever is sent to it', 'high', ['webhook.site', 'requestbin.com', 'requestbin.net', 'pipedream.net', 'requestcatcher.com', 'hookbin.com', 'beeceptor.com', 'interact.sh', 'oast.fun', 'oast.live', 'oast.me', 'oast.online', 'oast.pro', 'oast.site', 'oastify.com', 'burpcollaborator.net', 'canarytokens.com', 'dnslog.cn', 'ceye.io']],
  ['a tunnel to a computer that nobody knows', 'high', ['ngrok.io', 'ngrok.app', 'ngrok.dev', 'ngrok-free.app', 'ngrok-free.dev', 'trycloudflare.com', 'loca.lt', 'localtunnel.me', 'serveo.net', 'localhost.run', 'lhr.life', 'pagekite.me', 'bore.pub', 'playit.gg', 'devtunnels.ms']],
  ['a name that leads to another computer whenever its owner likes', 'medium', ['duckdns.org', 'no-ip.org', 'no-ip.com', 'ddns.net', 'hopto.org', 'zapto.org', 'dynu.net', 'nip.io', 'sslip.io', 'xip.io']],
];

const literal = (name: string) => name.replaceAll('.', '\\.');
const LISTED = new RegExp([...METADATA, ...PLACES.flatMap(([, , names]) => names)].map(literal).join('|'), 'gi');

function suspicionOf(given: string): Suspicion | undefined {
  const host = given.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (METADATA.includes(host)) return { what: 'the metadata service of a cloud, which hands out the keys of the machine', risk: 'critical' };
  const place = PLACES.find(([, , names]) => names.some((name) => host === name || host.endsWith(`.${name}`)));
  if (place) return { what: place[0], risk: place[1] };
  if (host.endsWith('.onion')) return { what: 'a hidden service of the Tor network', risk: 'high' };
  if (isIP(host) !== 0) return suspicionOfAddress(host);
  // As a browser reads it, `http://2130706433/` and `http://0x7f.1/` are addresses.
  const read = /^[0-9a-fx.]+$/.test(host) && /^(?:0x[0-9a-f]*|\d+)$/.test(host.slice(host.lastIndexOf('.') + 1)) ? URL.parse(`http://${host}/`)?.hostname : undefined;
  return read !== undefined && isIP(read) === 4 ? { what: `the address ${read} in a writing that hides it`, risk: METADATA.includes(read) ? 'critical' : 'high' } : undefined;
}

function suspicionOfAddress(address: string): Suspicion | undefined {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  if (EXAMPLES.check(address, family)) return undefined;
  if (OWN.check(address, family)) return { what: 'this machine itself', risk: 'low' };
  if (PRIVATE.check(address, family)) return { what: 'an address inside of a private network', risk: 'medium' };
  return { what: 'a raw address, which says nothing of whose it is', risk: 'medium' };
}

const blocks = (...subnets: readonly (readonly [net: string, prefix: number])[]) => {
  const list = new BlockList();
  for (const [net, prefix] of subnets) list.addSubnet(net, prefix, isIP(net) === 6 ? 'ipv6' : 'ipv4');
  return list;
};

/** RFC 5737 and RFC 3849: for documentation only, and for everybody. */
const EXAMPLES = blocks(['192.0.2.0', 24], ['198.51.100.0', 24], ['203.0.113.0', 24], ['2001:db8::', 32]);
const OWN = blocks(['127.0.0.0', 8], ['0.0.0.0', 32], ['::1', 128], ['::', 128]);
/** RFC 1918, 3927, 4193, 4291, 6598. */
const PRIVATE = blocks(['10.0.0.0', 8], ['172.16.0.0', 12], ['192.168.0.0', 16], ['169.254.0.0', 16], ['100.64.0.0', 10], ['fc00::', 7], ['fe80::', 10]);
