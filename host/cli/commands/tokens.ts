// `gatehouse tokens`: who may ask the control plane for what.
import type { Command } from 'commander';
import type { NewTokenView, TokenView } from '../../../schemas/token.ts';
import { systemClock, toTimestamp } from '../../clock.ts';
import { connect } from '../client.ts';
import { durationMs } from '../duration.ts';
import { example } from '../help.ts';
import { plain, type Io } from '../io.ts';
import { pageOf, printPage, withListOptions, type ListOptions } from '../listing.ts';

export function register(program: Command, io: Io): void {
  const tokens = program.command('tokens').description('list, create, rotate and revoke tokens of the control plane').addHelpText('after', example('gatehouse tokens list'));
  withListOptions(tokens.command('list', { isDefault: true }), '/tokens')
    .description('every token, without its secret')
    .addHelpText('after', example('gatehouse tokens list --json'))
    .action(async (options: ListOptions) => {
      printPage(io, await pageOf<TokenView>(connect(io), '/tokens', options), {
        id: ({ id }) => id,
        label: ({ label }) => label,
        scopes: ({ scopes }) => scopes.join(' ') || 'none',
        created: ({ createdAt }) => createdAt,
        'last used': ({ lastUsedAt }) => lastUsedAt ?? 'never',
        ends: ({ expiresAt, revokedAt }) => (revokedAt === undefined ? (expiresAt ?? '') : `revoked ${revokedAt}`),
      }, 'No tokens.');
    });
  tokens
    .command('create')
    .description('a new token; its secret is printed once')
    .requiredOption('--label <text>', 'who has it, and for what')
    .option('--scope <scope...>', 'what it may do; none: nothing', [])
    .option('--expires-in <time>', 'so long it works, as 12h or 90d (default: until it is revoked)')
    .addHelpText('after', example('gatehouse tokens create --label "prometheus" --scope metrics:read --expires-in 365d'))
    .action(async ({ label, scope, expiresIn }: { label: string; scope: string[]; expiresIn?: string }) => {
      const made = await connect(io).post<NewTokenView>('/tokens', { label, scopes: scope, ...(expiresIn === undefined ? {} : { expiresAt: endOf(expiresIn) }) });
      tellSecret(io, made);
    });
  tokens
    .command('rotate <id>')
    .description('a new secret for the same purpose; the old one works on for a while')
    .option('--overlap <time>', 'so long, as 10m or 0s', '1h')
    .addHelpText('after', example('gatehouse tokens rotate 0f3c…', 'gatehouse tokens rotate 0f3c… --overlap 0s'))
    .action(async (id: string, { overlap }: { overlap: string }) => {
      tellSecret(io, await connect(io).post<NewTokenView>(`/tokens/${encodeURIComponent(id)}/rotate`, { overlapSeconds: Math.round(durationMs(overlap) / 1000) }));
    });
  tokens
    .command('revoke <id>')
    .description('refuse a token from now on')
    .addHelpText('after', example('gatehouse tokens revoke 0f3c…'))
    .action(async (id: string) => {
      const revoked = await connect(io).post<TokenView>(`/tokens/${encodeURIComponent(id)}/revoke`);
      io.print(revoked, () => `'${plain(revoked.label)}' is refused since ${revoked.revokedAt}.`);
    });
}

/** The secret alone on stdout, for a pipe; what it is on stderr. */
function tellSecret(io: Io, made: NewTokenView): void {
  io.print(made, () => made.token);
  if (!io.options.json) io.say(`${plain(made.label)}: ${made.scopes.join(', ') || 'no scopes, so it may do nothing'}${made.expiresAt === undefined ? '' : `, until ${made.expiresAt}`}. It is not shown again.`);
}

const endOf = (time: string): string => toTimestamp(systemClock.now() + durationMs(time));
