// Who may sign what follows on what ran: another key needs agreement, by an operator or for new content by a reviewer, and no way round it is left.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../host/clock.ts';
import { createIds } from '../../host/ids.ts';
import { NO_HISTORY } from '../../host/registry/history.ts';
import { Registry } from '../../host/registry/registry.ts';
import { openStore } from '../../host/store/lmdb.ts';
import type { PluginRow } from '../../host/store/tables.ts';
import { openAuditLog } from '../../host/trust/log/open-log.ts';
import { aHome } from '../support/home.ts';
import { buildTestPackage, newTestKey, writeTrustRecord, type TestTrust } from '../support/packages.ts';
import { configOf, findings, SKILL, surveyHome } from '../support/registry.ts';
import { runCommand } from '../support/run-command.ts';

const [first, second] = [newTestKey('acme'), newTestKey('acme')];

/** A home that trusts both keys, with one package by the second. */
async function homeWith({ trust = {}, enablement = {} }: { readonly trust?: TestTrust; readonly enablement?: object } = {}) {
  const home = await aHome();
  await writeTrustRecord(home.path, first);
  await writeTrustRecord(home.path, second, trust);
  const { packageDigest } = await buildTestPackage({ dir: join(home.path, 'plugins/acme.a-1.1.0'), id: 'acme.a', version: '1.1.0', kind: 'skill', source: SKILL, key: second });
  await home.write('manifests/plugins/a.json', { plugin: 'acme.a', ...enablement });
  return { path: home.path, home, digest: `${packageDigest}`, [Symbol.asyncDispose]: () => home[Symbol.asyncDispose]() };
}

const ranBy = (signer: PluginRow['signer']) => ({ history: { ...NO_HISTORY, signerOf: () => signer } });
const BY_FIRST = { keyid: first.keyid, development: false };

describe('a release', () => {
  it.each<[string, { trust?: TestTrust; enablement?: object; ran: PluginRow['signer']; agreed?: string }, string[]]>([
    ['of another signer waits', { ran: BY_FIRST }, ['SIGNER_CHANGED degraded a']],
    ['of the first signer there is does not', { ran: undefined }, []],
    ['of the same signer does not', { ran: { keyid: second.keyid, development: false } }, []],
    ['of a signer that was agreed to does not', { ran: { ...BY_FIRST, agreed: second.keyid } }, []],
    ['of another signer than was agreed to does', { ran: { ...BY_FIRST, agreed: newTestKey('acme').keyid } }, ['SIGNER_CHANGED degraded a']],
    ['does not wait when somebody agrees with this look', { ran: BY_FIRST, agreed: 'a' }, []],
    ['waits when somebody agrees to another instance', { ran: BY_FIRST, agreed: 'b' }, ['SIGNER_CHANGED degraded a']],
    ['of one development key after another does not', { trust: { development: true }, ran: { ...BY_FIRST, development: true } }, []],
    ['of a development key after another key does', { trust: { development: true }, ran: BY_FIRST }, ['SIGNER_CHANGED degraded a']],
    ['is the reviewers’ to judge where they are asked', { enablement: { approvals: 1 }, ran: BY_FIRST }, ['APPROVAL_MISSING degraded a']],
  ])('%s', async (_, { ran, agreed, ...given }, expected) => {
    await using home = await homeWith(given);
    const survey = await surveyHome(home.path, { ...ranBy(ran), ...(agreed === undefined ? {} : { agreed }) });
    expect(findings(survey)).toEqual(expected);
    expect(survey.refused.map(({ state }) => state)).toEqual(expected.map(() => 'pending-approval'));
  });
});

it('an operator agrees without a host, by instance or by package, and the next start goes by it', async () => {
  await using at = await homeWith();
  const { path: home } = at;
  const start = async () => {
    await using store = await openStore({ dir: join(home, 'data/store'), clock: systemClock });
    const config = configOf(home);
    await using audit = await openAuditLog({ config, store, clock: systemClock });
    const registry = await Registry.open({ config, store, audit, clock: systemClock, ids: createIds(systemClock), env: {} });
    await registry.written();
    const { state, code } = registry.get('a');
    return code ?? state;
  };
  const sign = async (key: typeof first, version: string) => {
    await buildTestPackage({ dir: join(home, 'plugins', `acme.a-${version}`), id: 'acme.a', version, kind: 'skill', source: SKILL, key });
    return join(home, 'plugins', `acme.a-${version}`);
  };
  expect(await start()).toBe('approved');
  await sign(first, '1.2.0');
  expect(await start()).toBe('SIGNER_CHANGED');
  expect((await runCommand(['plugins', 'enable', 'a', '--home', home, '--yes'])).code).toBe(0);
  expect(await start()).toBe('approved');
  const next = await sign(second, '1.3.0');
  expect(await start()).toBe('SIGNER_CHANGED');
  const enabled = await runCommand(['plugins', 'enable', next, '--home', home, '--yes']);
  expect(enabled.code).toBe(0);
  expect(await start()).toBe('approved');
  expect(await start()).toBe('approved');
});
