// The whole look at a home: enablements, trust, revocations, and what they come to. `check` reports it, `start` runs it, both from the same files.
import { join, relative } from 'node:path';
import type { Diagnostic } from '../../schemas/control.ts';
import { publisherFolders } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import { loadRevocations, type RevocationList } from '../trust/revocation.ts';
import { loadTrust } from '../trust/trust-store.ts';
import { diagnosticOf } from './diagnostics.ts';
import { discover } from './discover.ts';
import type { ResolveContext } from './examine.ts';
import { resolve, type Resolution } from './resolve.ts';

export type SurveyContext = Omit<ResolveContext, 'trust' | 'revocations'>;

/** Reads only files; findings are values, and all of them. With `NO_HISTORY` it cannot know of rollbacks. */
export async function survey(context: SurveyContext): Promise<Resolution> {
  const { home, manifestsDir } = context.config;
  const [discovery, trust, revocations] = await Promise.all([
    discover(context.config),
    loadTrust(publisherFolders(context.config)),
    readRevocations(home, join(manifestsDir, 'trust', 'revocations.json')),
  ]);
  const resolution = await resolve(discovery.enablements, { ...context, trust: trust.store, revocations: revocations.list });
  return { ...resolution, diagnostics: [...discovery.diagnostics, ...trust.diagnostics, ...revocations.diagnostics, ...resolution.diagnostics] };
}

/** A list that cannot be read is fatal: nobody knows what it revokes. Until then everything counts as revoked. */
async function readRevocations(home: string, file: string): Promise<{ readonly list: RevocationList; readonly diagnostics: readonly Diagnostic[] }> {
  try {
    return { list: await loadRevocations(file), diagnostics: [] };
  } catch (thrown) {
    if (!(thrown instanceof GatehouseError)) throw thrown;
    const manifest = relative(home, file);
    return { list: { reasonFor: () => 'the list of revocations cannot be read' }, diagnostics: [diagnosticOf(thrown, { severity: 'fatal', stage: 'trust', rule: 'revocations', manifest })] };
  }
}
