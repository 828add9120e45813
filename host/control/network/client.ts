// Who a request comes from, through proxies that are believed and past everybody who only says so. Called by admission.ts for every request.
import { isIP } from 'node:net';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { plainAddress, senderKey, within } from '../../network/addresses.ts';
import type { NetworkPolicy } from '../../network/policy.ts';
import { authorityOf } from '../connections.ts';
import { isOfLocalSocket } from '../local-socket.ts';

export interface Client {
  /** Of the nearest that is no trusted proxy; `local socket` of who came by that. What lockouts, rates and logs go by. */
  readonly address: string;
  /** Of whoever opened the connection. */
  readonly peer: string;
  readonly scheme: 'http' | 'https';
  /** The name the client used. */
  readonly authority: string | undefined;
  /** Whether a trusted proxy spoke for it. */
  readonly isForwarded: boolean;
  /** Whether it came by the socket in the data directory, which only its owner can open. */
  readonly isLocal: boolean;
}

const LOCAL = 'local socket';

/** Who it is to lockouts, rates and bounds; undefined for whoever came by the local socket: the owner of the data directory, whom no stranger's guesses or requests may keep out. */
export const senderOf = ({ address, isLocal }: Client): string | undefined => (isLocal ? undefined : senderKey(address));

/** One proxy's word: whom it had before it, and how it was asked. */
interface Hop {
  /** Absent where it named nobody, or no address. */
  readonly address?: string;
  readonly scheme?: string;
  readonly authority?: string;
}

/**
 * The chain is read from the right, where the last proxy wrote: as far as each is trusted, the next is believed. What stands further left was written by somebody who is not trusted, and may
 * be anything. Only the one family of headers that the proxies are said to write is read: the other passes through them as a client sent it.
 */
export function clientReader({ trustedProxies, forwarded }: Pick<NetworkPolicy, 'trustedProxies' | 'forwarded'>): (raw: IncomingMessage) => Client {
  const isTrusted = within(trustedProxies);
  const hopsOf = forwarded === 'rfc7239' ? hopsOfForwarded : hopsOfXForwarded;
  return (raw) => {
    // No proxy stands here, so what such headers say was written by the client.
    if (isOfLocalSocket(raw.socket)) return { peer: LOCAL, address: LOCAL, scheme: 'http', authority: authorityOf(raw), isForwarded: false, isLocal: true };
    const peer = plainAddress(raw.socket.remoteAddress ?? '');
    const own = { peer, scheme: tlsOf(raw) ? 'https' : 'http', authority: authorityOf(raw), isLocal: false } as const;
    if (!isTrusted(peer)) return { ...own, address: peer, isForwarded: false };
    let address = peer;
    let said: Hop | undefined;
    for (const hop of hopsOf(raw).toReversed()) {
      said = { ...said, ...hop };
      if (hop.address === undefined) break;
      address = hop.address;
      if (!isTrusted(address)) break;
    }
    if (!said) return { ...own, address, isForwarded: false };
    return { peer, address, isForwarded: true, isLocal: false, scheme: said.scheme === 'https' || (said.scheme === undefined && own.scheme === 'https') ? 'https' : 'http', authority: said.authority ?? own.authority };
  };
}

/** Of a connection that this host speaks TLS on. */
export const tlsOf = ({ socket }: IncomingMessage): TLSSocket | undefined => (socket instanceof TLSSocket ? socket : undefined);

/** X-Forwarded-For is a list; of -Proto and -Host only the last value counts, which the nearest proxy wrote. */
function hopsOfXForwarded({ headers }: IncomingMessage): Hop[] {
  const addresses = listOf(headers['x-forwarded-for']);
  const scheme = listOf(headers['x-forwarded-proto']).at(-1)?.toLowerCase();
  const authority = listOf(headers['x-forwarded-host']).at(-1);
  const told = { ...(scheme === undefined ? {} : { scheme }), ...(authority === undefined ? {} : { authority }) };
  const hops: Hop[] = addresses.map((text) => hopAt(text));
  const nearest = hops.pop();
  return nearest || scheme !== undefined || authority !== undefined ? [...hops, { ...nearest, ...told }] : [];
}

/** RFC 7239 section 4: `for="[2001:db8::1]:4711";proto=https;host=example.org, for=10.0.0.1` */
function hopsOfForwarded({ headers }: IncomingMessage): Hop[] {
  return splitOutside(headers.forwarded ?? '', ',').filter((element) => element.trim() !== '').map((element) => {
    const pairs = splitOutside(element, ';').map((pair) => /^\s*([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)\s*$/.exec(pair));
    const named = new Map(pairs.flatMap((pair) => (pair ? [[pair[1]?.toLowerCase(), unquoted(pair[2] ?? '')] as const] : [])));
    const [scheme, authority] = [named.get('proto')?.toLowerCase(), named.get('host')];
    return { ...hopAt(named.get('for') ?? ''), ...(scheme === undefined ? {} : { scheme }), ...(authority === undefined ? {} : { authority }) };
  });
}

/** `1.2.3.4`, `1.2.3.4:80`, `2001:db8::1`, `[2001:db8::1]:80`; `unknown`, `_hidden` and everything else name no address. */
function hopAt(text: string): Hop {
  const [, bracketed, plain] = /^(?:\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?|([^\s[\]]+))$/.exec(text.trim()) ?? [];
  const candidates = [bracketed, plain, plain?.replace(/:\d{1,5}$/, '')];
  const found = candidates.find((candidate) => candidate !== undefined && isIP(candidate) !== 0);
  return found === undefined ? {} : { address: plainAddress(found) };
}

function listOf(header: string | string[] | undefined): string[] {
  return String(header ?? '').split(',').map((item) => item.trim()).filter((item) => item !== '');
}

/** Splits at separators that stand outside quotes. */
function splitOutside(text: string, separator: ',' | ';'): string[] {
  return text.match(separator === ',' ? /(?:"(?:[^"\\]|\\.)*"|[^",])+/g : /(?:"(?:[^"\\]|\\.)*"|[^";])+/g) ?? [];
}

const unquoted = (value: string) => (value.startsWith('"') ? value.slice(1, -1).replaceAll(/\\(.)/g, '$1') : value);
