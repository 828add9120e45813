// `discovery` of manifests/host.json: how others find the host. And the view of what it came to. Off by default.
import { Type, type Static } from 'typebox';
import { closed, oneOf, text, whole } from './closed.ts';
import { Timestamp } from './ids.ts';

export const DiscoverySettings = closed(
  {
    mdns: Type.Optional(
      closed(
        {
          enabled: Type.Optional(Type.Boolean({ default: false, description: 'Announces `_gatehouse._tcp` to the local network by multicast DNS. Needs an address that others reach.' })),
          name: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9 _()-]{0,48}$', default: '', description: 'What people see in lists: letters, digits, spaces and _ ( ) -, 48 at most; empty: `Gatehouse on` and the name of the machine.' })),
          interface: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_.:@-]{0,64}$', default: '', description: 'The one network interface to announce on, as eth0; empty: every one.' })),
        },
        { default: {} },
      ),
    ),
    tailnet: Type.Optional(closed({ enabled: Type.Optional(Type.Boolean({ default: false, description: 'Asks the `tailscale` program of this machine for its name and addresses, for whoever looks.' })) }, { default: {} })),
  },
  { default: {} },
);

/** With every default. */
export interface DiscoveryPolicy {
  readonly mdns: { readonly enabled: boolean; readonly name: string; readonly interface: string };
  readonly tailnet: { readonly enabled: boolean };
}

/** `probing`: the name is looked for first, so that nobody else's is taken. */
export const MdnsView = closed({
  state: oneOf('off', 'probing', 'announced', 'failed'),
  service: text(100),
  name: Type.Optional(text(100)),
  port: Type.Optional(whole(1, 65_535)),
  addresses: Type.Optional(Type.Array(text(64), { maxItems: 64 })),
  txt: Type.Optional(Type.Record(Type.String(), text(200), { description: 'What is told of the host; never a secret.' })),
  problem: Type.Optional(text(500)),
});
export type MdnsView = Static<typeof MdnsView>;

/** `absent`: there is no such program. `down`: it runs, and the machine is in no tailnet now. */
export const TailnetView = closed({
  state: oneOf('off', 'up', 'down', 'absent', 'failed'),
  name: Type.Optional(text(256, { description: 'Of this machine in the tailnet.' })),
  addresses: Type.Optional(Type.Array(text(64), { maxItems: 16 })),
  problem: Type.Optional(text(500)),
  checkedAt: Type.Optional(Timestamp),
});
export type TailnetView = Static<typeof TailnetView>;

export const DiscoveryView = closed({ mdns: MdnsView, tailnet: TailnetView });
export type DiscoveryView = Static<typeof DiscoveryView>;
