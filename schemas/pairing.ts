// Pairing as scripts, the command line and the webchat page see it: who asked to speak, who was let in, and invites; a secret only in the answer that makes it.
import { Type, type Static } from 'typebox';
import { closed, oneOf, text, whole } from './closed.ts';
import { InstanceName, Timestamp } from './ids.ts';
import { Sender } from './message.ts';

/** `expired`: nobody decided while the code was good. */
export const PairingState = oneOf('pending', 'approved', 'denied', 'revoked', 'expired');
export type PairingState = Static<typeof PairingState>;

export const PairingView = closed({
  id: text(32),
  instance: InstanceName,
  plugin: text(128),
  state: PairingState,
  sender: Type.Optional({ ...Sender, description: 'As the channel named them. Absent for who came by an invite.' }),
  via: text(40, { description: '`code`, or `invite:<id>`.' }),
  requestedAt: Timestamp,
  expiresAt: Type.Optional({ ...Timestamp, description: 'Of the code, while it is pending.' }),
  decidedAt: Type.Optional(Timestamp),
  decidedBy: Type.Optional(text(200)),
});
export type PairingView = Static<typeof PairingView>;

export const InviteView = closed({
  id: text(32),
  instance: InstanceName,
  label: Type.Optional(text(200)),
  state: oneOf('open', 'used', 'expired', 'withdrawn'),
  uses: whole(1, 1000),
  used: whole(0, 1000),
  createdAt: Timestamp,
  createdBy: text(200),
  expiresAt: Timestamp,
});
export type InviteView = Static<typeof InviteView>;

/** The answer to making one: the only time its secret is told. */
export const NewInviteView = closed({
  ...InviteView.properties,
  invite: text(100, { description: 'ghi_<id>_<secret>' }),
  path: text(300, { description: 'The page, with the secret behind the #, which browsers send to nobody.' }),
  url: Type.Optional(text(600, { description: 'The same with the origin by which others reach this host, where `pipeline.files.url` names it.' })),
});
export type NewInviteView = Static<typeof NewInviteView>;

export const NewInviteBody = closed({
  instance: InstanceName,
  expiresInSeconds: Type.Optional(whole(60, 30 * 24 * 3600, { default: 24 * 3600 })),
  uses: Type.Optional(whole(1, 1000, { default: 1, description: 'Conversations it lets in.' })),
  label: Type.Optional(text(200, { minLength: 1, description: 'For people: who was invited.' })),
});
export type NewInviteBody = Static<typeof NewInviteBody>;

/** What a page asks before it connects; with an invite, to be let in by it. */
export const AccessBody = closed({ conversation: text(256, { minLength: 1 }), invite: Type.Optional(text(200)) });
export type AccessBody = Static<typeof AccessBody>;
