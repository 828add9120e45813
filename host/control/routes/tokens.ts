// Tokens of the control plane: look at them, make, rotate and revoke them.
import { text } from '../../../schemas/closed.ts';
import { sortBy } from '../../../schemas/query.ts';
import { NewTokenBody, NewTokenView, RotateTokenBody, TokenState, TokenView } from '../../../schemas/token.ts';
import type { Host } from '../../host.ts';
import { createToken, listTokens, revokeToken, rotateToken, showToken } from '../token-desk.ts';
import { withBody, type ApiRoute } from './api.ts';
import { listRoute } from './listing.ts';

export function tokenRoutes(host: Host): readonly ApiRoute[] {
  const desk = () => ({ store: host.store, clock: host.clock, dataDir: host.config.dataDir });
  return [
    listRoute({
      id: 'listTokens', path: '/tokens', scope: 'tokens:read',
      summary: 'Every token, without its secret.',
      item: TokenView,
      query: {
        state: { ...TokenState, description: 'Only those that count, that have expired, or that were revoked.' },
        scope: text(40, { description: 'Only those that name this scope.' }),
        sort: sortBy('id', '-id', 'createdAt', '-createdAt', 'lastUsedAt', '-lastUsedAt', 'label', '-label'),
      },
      run: (query) => listTokens(desk(), query),
    }),
    {
      id: 'getOwnToken', method: 'GET', path: '/tokens/self', scope: 'any', tagged: { aside: ['lastUsedAt'] },
      summary: 'The token that asks: what it may do, and until when.',
      answer: TokenView,
      run: ({ principal }) => showToken(desk(), principal.tokenId),
    },
    {
      id: 'getToken', method: 'GET', path: '/tokens/:id', scope: 'tokens:read', errors: ['TOKEN_NOT_FOUND'], tagged: { aside: ['lastUsedAt'] },
      summary: 'One token, without its secret.',
      answer: TokenView,
      run: ({ params }) => showToken(desk(), params['id'] ?? ''),
    },
    withBody({
      answersOnce: true, id: 'createToken', method: 'POST', path: '/tokens', scope: 'tokens:write', errors: ['SCOPE_UNKNOWN', 'SCOPE_BEYOND'],
      summary: 'A new token, with scopes that the caller has. Its secret is in this answer and nowhere else.',
      status: 201,
      body: NewTokenBody,
      answer: NewTokenView,
      run: ({ principal, body }) => createToken(desk(), principal, body),
    }),
    withBody({
      answersOnce: true, id: 'rotateToken', method: 'POST', path: '/tokens/:id/rotate', scope: 'tokens:write', errors: ['TOKEN_NOT_FOUND', 'TOKEN_ENDED', 'SCOPE_BEYOND'], guards: 'getToken',
      summary: 'A new secret in the place of a token, which works on for an hour unless said otherwise.',
      status: 201,
      body: RotateTokenBody,
      optionalBody: true,
      answer: NewTokenView,
      run: ({ principal, params, body, demand }) => rotateToken(desk(), principal, params['id'] ?? '', body, demand),
    }),
    {
      id: 'revokeToken', method: 'POST', path: '/tokens/:id/revoke', scope: 'tokens:write', errors: ['TOKEN_NOT_FOUND', 'SCOPE_BEYOND'], guards: 'getToken',
      summary: 'Refuse a token from now on.',
      answer: TokenView,
      run: ({ principal, params, demand }) => revokeToken(desk(), principal, params['id'] ?? '', demand),
    },
  ];
}
