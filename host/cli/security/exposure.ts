// Where the host can be reached, by whom, and what it reaches: addresses, open doors of channels, exceptions of egress. Asked by the audit.
import { isLoopback, listensEverywhere } from '../../network/addresses.ts';
import type { AuditedHome, AuditedInstance, SecurityCheck, Sighting } from './check.ts';

export const unsafeSettings: SecurityCheck = {
  severity: 'critical',
  why: 'With these settings no start is allowed.',
  look: ({ unsafe }) => unsafe.map((error) => ({ where: 'manifests/host.json', found: error.message, fix: error.fix })),
};

export const openBind: SecurityCheck = {
  severity: 'medium',
  why: 'On every address means also on networks that nobody thought of: containers, VPNs, guests.',
  look: ({ config: { listen } }) => (listensEverywhere(listen.host) ? [{ where: 'listen', found: `it listens on ${listen.host}, every address of this machine`, fix: 'Name the one address that clients use in `listen` of manifests/host.json.' }] : []),
};

export const plainHttp: SecurityCheck = {
  severity: 'medium',
  why: 'The host speaks plain HTTP: tokens and messages can be read and changed on the way.',
  look: ({ config: { listen, policy } }) =>
    !isLoopback(listen.host) && !policy.tls ? [{ where: 'listen', found: `it listens on ${listen.host} without TLS`, fix: 'Set network.tls.cert and network.tls.key in manifests/host.json, or listen on 127.0.0.1 behind a proxy that ends TLS.' }] : [],
};

export const notStrict: SecurityCheck = {
  severity: 'info',
  exposed: 'medium',
  why: 'Without strict a plugin may run unpinned, signed with a development key, or behind too few walls.',
  look: ({ config: { strict, profile } }) => (strict ? [] : [{ where: 'strict', found: `profile ${profile} without strict`, fix: 'Set "strict": true in manifests/host.json; `gatehouse check` says what it then asks for.' }]),
};

export const egressExceptions: SecurityCheck = {
  severity: 'medium',
  why: 'Each exception opens an address that is not public, or not https, to whatever plugin is granted it.',
  look: ({ config: { egress } }) => egress.allow.map(({ scheme, host, port, address }) => ({ where: 'egress.allow', found: `plugins may be given ${scheme}://${host}:${port}${address === undefined ? ', wherever that name leads' : ` at ${address}`}`, fix: 'Remove it from manifests/host.json when no plugin needs it; pin it to an address where one does.' })),
};

export const openChannels: SecurityCheck = {
  severity: 'low',
  exposed: 'high',
  why: 'Whoever reaches such a door speaks to the skills behind it, under any name.',
  look: (home) => home.instances.flatMap((instance) => doorsOf(instance, home).map((door) => ({ where: instance.name, found: `${door} takes messages from anyone: nothing proves who sends them`, fix: `Keep it to profile local, pair who may speak (\`admit.access\`), or narrow it with \`admit\` in ${instance.file}.` }))),
};

/** Ways in that nothing verifies, and nobody is asked about: a WebSocket is one in profile local, whichever page opens it, and opens by invite elsewhere. A GET hands out and takes nothing in. */
function doorsOf({ manifest, enablement: { admit } }: AuditedInstance, { config: { profile } }: AuditedHome): string[] {
  const { ingress = [], socket } = manifest?.channel ?? {};
  if (admit.requireVerifiedSender === true || admit.access === 'pairing') return [];
  return [...ingress.filter(({ verify, method }) => verify.scheme === 'none' && method !== 'GET').map(({ method, path }) => `${method} ${path}`), ...(socket && profile === 'local' ? [`the WebSocket ${socket.path}`] : [])];
}

export const anyOrigin: SecurityCheck = {
  severity: 'medium',
  why: 'Every page that somebody has open may then speak through their browser.',
  look: ({ instances }) => instances.filter(({ manifest }) => manifest?.channel?.socket?.origin === 'any').map(({ name, file }) => ({ where: name, found: 'its WebSocket takes connections from pages of any site', fix: `Disable it in ${file}, or ask its author for "origin": "same".` })),
};

export const failsOpen: SecurityCheck = {
  severity: 'high',
  why: 'A check that lets pass what it could not look at is passed by whoever makes it fail.',
  look: ({ instances }) => instances.flatMap(({ name, file, enablement: { admit, outbound, rooms } }) => {
    const policies = [{ place: '', admit, outbound }, ...Object.entries(rooms).map(([room, policy]) => ({ place: `rooms['${room.slice(0, 40)}'].`, ...policy }))];
    return policies.flatMap(({ place, admit: who, outbound: what }): Sighting[] => [
      ...(who?.onVerifyFailure === 'admit' ? [{ where: name, found: `${place}admit.onVerifyFailure is 'admit'`, fix: `Take it out of ${file}: 'refuse' is the default, and such a request may come again.` }] : []),
      ...(what?.onSanitizeFailure === 'pass' ? [{ where: name, found: `${place}outbound.onSanitizeFailure is 'pass'`, fix: `Take it out of ${file}: 'retry' is the default.` }] : []),
    ]);
  }),
};

export const believedSenders: SecurityCheck = {
  severity: 'medium',
  why: 'Lists of senders hold names, and whoever may write requests may write any name into them.',
  look: ({ instances }: AuditedHome) => instances.filter(({ enablement: { admit }, manifest }) => (admit.allowSenders ?? admit.owners ?? []).length > 0 && admit.requireVerifiedSender !== true && hasClaimedSenders(manifest)).map(({ name, file }) => ({ where: name, found: 'it goes by lists of senders, and nobody has authenticated the senders', fix: `Set admit.requireVerifiedSender in ${file}; or keep the channel's secret to whoever may speak for all of them.` })),
};

const hasClaimedSenders = (manifest: AuditedInstance['manifest']) => Boolean(manifest?.channel?.socket) || (manifest?.channel?.ingress ?? []).some(({ sender = 'claimed', verify, method }) => method !== 'GET' && (sender === 'claimed' || verify.scheme === 'none'));
