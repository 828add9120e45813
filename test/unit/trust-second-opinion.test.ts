// When the two implementations disagree the package is refused: here the second one says no to everything.
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { loadTrust } from '../../host/trust/trust-store.ts';
import { verifyPackage } from '../../host/trust/verify.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';
import { tempDir } from '../support/temp.ts';

vi.mock('tweetnacl', () => ({ default: { sign: { detached: { verify: () => false } } } }));

describe('a second implementation that disagrees', () => {
  it('refuses the package, and the refusal is not remembered as a yes', async () => {
    await using dir = await tempDir();
    const key = newTestKey('acme');
    const { path } = await buildTestPackage({ dir: join(dir.path, 'p'), id: 'acme.x', kind: 'tool', source: '1', key });
    await writeTrustRecord(dir.path, key);
    const { store } = await loadTrust([join(dir.path, 'manifests/trust/publishers')]);
    const remember = vi.fn<(digest: string) => void>();
    const verdict = await verifyPackage(path, { trust: store, revocations: null, now: Date.now(), secondOpinion: { known: () => false, remember }, profile: 'local', strict: false });
    expect(verdict).toMatchObject({ ok: false, error: { code: 'RELEASE_SIGNATURE' } });
    expect(verdict.checks.find(({ ok }) => ok === false)).toMatchObject({ name: 'signature-tweetnacl' });
    expect(remember).not.toHaveBeenCalled();
  });
});
