// Pairing as the control plane sees it: who asked, who was let in, invites, and whether a conversation may connect. host.ts shows it.
import type { InviteView, NewInviteBody, NewInviteView, PairingView } from '../../../schemas/pairing.ts';
import type { Clock } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import type { Page, PageQuery } from '../../store/page.ts';
import type { Store } from '../../store/store.ts';
import type { AuditLog } from '../../trust/log/audit-log.ts';
import type { PluginDirectory } from '../plugin-directory.ts';
import { Invites } from './invites.ts';
import { conversationId, type Door, type PairingQuery, type Pairings } from './pairings.ts';

export interface PairingDeskParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly pairings: Pairings;
  readonly directory: Pick<PluginDirectory, 'channel'>;
  /** The origin by which others reach this host; empty when nobody said. */
  readonly filesUrl: string;
}

export interface PairingDesk {
  list(query: PairingQuery): Promise<Page<PairingView>>;
  /** Throws PAIRING_NOT_FOUND. */
  show(id: string): Promise<PairingView>;
  /** Throws PAIRING_CODE, PAIRING_NOT_FOUND, PAIRING_STATE; so do the next two. */
  approve(codeOrId: string, actor: string): Promise<PairingView>;
  deny(codeOrId: string, actor: string): Promise<PairingView>;
  revoke(id: string, actor: string): Promise<PairingView>;
  readonly invites: {
    list(query: PageQuery & { readonly instance?: string }): Promise<Page<InviteView>>;
    /** Throws PLUGIN_NOT_FOUND, and INVITE_USELESS for a channel that nobody can open with one. */
    make(body: NewInviteBody, actor: string): Promise<NewInviteView>;
    /** Throws INVITE_NOT_FOUND. */
    withdraw(id: string): Promise<InviteView>;
    /** Throws PLUGIN_NOT_FOUND, INVITE_REFUSED. */
    redeem(instance: string, conversation: string, invite: string): Promise<void>;
  };
  /** Whether an operator, or an invite of one, let this conversation in. */
  isLetIn(instance: string, conversation: string): Promise<boolean>;
  /** Forgets what is over. */
  sweep(signal: AbortSignal): Promise<void>;
}

export function pairingDesk(parts: PairingDeskParts): PairingDesk {
  const { pairings, directory, filesUrl } = parts;
  const invites = new Invites(parts);
  const doorOf = (instance: string) => {
    const channel = directory.channel(instance);
    if (!channel) throw new GatehouseError('PLUGIN_NOT_FOUND', { instance });
    const door: Door = { instance, plugin: channel.policy.plugin ?? '' };
    return { door, section: channel.section };
  };
  return {
    list: (query) => pairings.list(query),
    show: (id) => pairings.show(id),
    approve: (codeOrId, actor) => pairings.approve(codeOrId, actor),
    deny: (codeOrId, actor) => pairings.deny(codeOrId, actor),
    revoke: (id, actor) => pairings.revoke(id, actor),
    invites: {
      list: (query) => invites.list(query),
      async make(body, actor) {
        const { door, section } = doorOf(body.instance);
        if (!section.socket) throw new GatehouseError('INVITE_USELESS', { instance: body.instance });
        const made = await invites.make(door, body, actor);
        const path = `/channels/${body.instance}/#invite=${made.invite}`;
        return { ...made, path, ...(filesUrl !== '' && { url: `${filesUrl}${path}` }) };
      },
      withdraw: (id) => invites.withdraw(id),
      redeem: (instance, conversation, invite) => invites.redeem(doorOf(instance).door, conversation, invite),
    },
    async isLetIn(instance, conversation) {
      return (await pairings.stateOf(conversationId(doorOf(instance).door, conversation))) === 'approved';
    },
    async sweep(signal) {
      await pairings.sweep(signal);
      await invites.sweep(signal);
    },
  };
}
