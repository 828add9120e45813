// Who asked to speak to a channel, who was let in, and invites.
import { text } from '../../../schemas/closed.ts';
import { InviteView, NewInviteBody, NewInviteView, PairingState, PairingView } from '../../../schemas/pairing.ts';
import { GatehouseError } from '../../errors.ts';
import type { Host } from '../../host.ts';
import { createLockout } from '../lockout.ts';
import { withBody, type ApiCall, type ApiRoute } from './api.ts';
import { listRoute } from './listing.ts';

const instance = text(64, { description: 'Only of this channel instance.' });

export function pairingRoutes(host: Host): readonly ApiRoute[] {
  // Forty bits and three that wait: nobody guesses one, and whoever tries is stopped all the same.
  const guesses = createLockout(host.clock);
  const byCode = async (decide: (code: string, actor: string) => Promise<PairingView>, { params, actor }: ApiCall) => {
    const retryAfterMs = guesses.lockedForMs(actor);
    if (retryAfterMs > 0) throw new GatehouseError('PAIRING_LOCKED', { retryAfterMs });
    try {
      return await decide(params['code'] ?? '', actor);
    } catch (error) {
      if (error instanceof GatehouseError && error.code === 'PAIRING_CODE') guesses.wrong(actor);
      throw error;
    }
  };
  return [
    listRoute({
      id: 'listPairings', path: '/pairing', scope: 'pairing:read',
      summary: 'Who asked to speak to a channel, and what an operator said. Never a code.',
      item: PairingView,
      query: { instance, state: { ...PairingState, description: 'Only those that stand so.' } },
      run: (query) => host.pairing.list(query),
    }),
    listRoute({
      id: 'listInvites', path: '/pairing/invites', scope: 'pairing:read',
      summary: 'Every invite, without its secret.',
      item: InviteView,
      query: { instance },
      run: (query) => host.pairing.invites.list(query),
    }),
    withBody({
      answersOnce: true, id: 'createInvite', method: 'POST', path: '/pairing/invites', scope: 'pairing:write', errors: ['PLUGIN_NOT_FOUND', 'INVITE_USELESS'],
      summary: 'A new invite to a channel with a page. Its secret is in this answer and nowhere else.',
      status: 201,
      body: NewInviteBody,
      answer: NewInviteView,
      run: ({ body, actor }) => host.pairing.invites.make(body, actor),
    }),
    {
      id: 'withdrawInvite', method: 'POST', path: '/pairing/invites/:id/withdraw', scope: 'pairing:write', errors: ['INVITE_NOT_FOUND'],
      summary: 'An invite lets nobody in any more; whoever it let in stays.',
      answer: InviteView,
      run: ({ params }) => host.pairing.invites.withdraw(params['id'] ?? ''),
    },
    {
      id: 'getPairing', method: 'GET', path: '/pairing/:id', scope: 'pairing:read', errors: ['PAIRING_NOT_FOUND'], tagged: {},
      summary: 'One pairing.',
      answer: PairingView,
      run: ({ params }) => host.pairing.show(params['id'] ?? ''),
    },
    {
      id: 'approvePairing', method: 'POST', path: '/pairing/:code/approve', scope: 'pairing:write', errors: ['PAIRING_CODE', 'PAIRING_NOT_FOUND', 'PAIRING_STATE', 'PAIRING_LOCKED'], guards: 'getPairing',
      summary: 'Let in whoever has this code; by its id, somebody who was denied or revoked before.',
      answer: PairingView,
      run: (call) => byCode((code, actor) => host.pairing.approve(code, actor), call),
    },
    {
      id: 'denyPairing', method: 'POST', path: '/pairing/:code/deny', scope: 'pairing:write', errors: ['PAIRING_CODE', 'PAIRING_NOT_FOUND', 'PAIRING_STATE', 'PAIRING_LOCKED'], guards: 'getPairing',
      summary: 'Refuse whoever has this code, or this id.',
      answer: PairingView,
      run: (call) => byCode((code, actor) => host.pairing.deny(code, actor), call),
    },
    {
      id: 'revokePairing', method: 'POST', path: '/pairing/:id/revoke', scope: 'pairing:write', errors: ['PAIRING_NOT_FOUND', 'PAIRING_STATE'], guards: 'getPairing',
      summary: 'Whoever was let in is shut out again, at once.',
      answer: PairingView,
      run: ({ params, actor }) => host.pairing.revoke(params['id'] ?? '', actor),
    },
  ];
}
