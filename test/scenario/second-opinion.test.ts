// When the two implementations disagree the package is refused, whichever of them says yes: here the second one is a library gone wrong.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ENVELOPE_FILE, readEnvelope, writeEnvelope } from '../../host/trust/dsse.ts';
import { loadTrust } from '../../host/trust/trust-store.ts';
import { verifyPackage, type Verification } from '../../host/trust/verify.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';
import { tempDir } from '../support/temp.ts';

const tweetnacl = vi.hoisted(() => ({ says: false }));
vi.mock('tweetnacl', () => ({ default: { sign: { detached: { verify: () => tweetnacl.says } } } }));

const remember = vi.fn<(digest: string) => void>();
afterEach(() => remember.mockClear());

/** A signed package, its signature changed by `tamper`, before a host that has or has not seen this envelope. */
async function verdictOn({ tamper = (sig) => sig, known = false }: { readonly tamper?: (signature: Buffer) => Buffer; readonly known?: boolean }): Promise<Verification> {
  await using dir = await tempDir();
  const key = newTestKey('acme');
  const { path } = await buildTestPackage({ dir: join(dir.path, 'p'), id: 'acme.x', kind: 'tool', source: '1', key });
  const file = join(path, ENVELOPE_FILE);
  const envelope = readEnvelope(await readFile(file), path);
  await writeFile(file, writeEnvelope({ ...envelope, signature: tamper(envelope.signature) }));
  await writeTrustRecord(dir.path, key);
  const { store } = await loadTrust([join(dir.path, 'manifests/trust/publishers')]);
  return await verifyPackage(path, { trust: store, revocations: null, now: Date.now(), secondOpinion: { known: () => known, remember }, profile: 'local', strict: false });
}

/** Another R, in a form that both would look at. */
const forged = (signature: Buffer) => Buffer.concat([Buffer.from([(signature[0] ?? 0) ^ 1]), signature.subarray(1)]);

describe('a second implementation that refuses what the first accepts', () => {
  it('refuses the package, and the refusal is not remembered as a yes', async () => {
    tweetnacl.says = false;
    const verdict = await verdictOn({});
    expect(verdict).toMatchObject({ ok: false, error: { code: 'SIGNATURE_DISPUTED', fields: { accepting: 'node:crypto', refusing: 'tweetnacl' } } });
    expect(verdict.checks.find(({ ok }) => ok === false)).toMatchObject({ name: 'signature-tweetnacl' });
    expect(remember).not.toHaveBeenCalled();
  });
});

describe('a second implementation that accepts what the first refuses', () => {
  it.each([false, true])('refuses the package, and says that the two disagree (envelope seen before: %s)', async (known) => {
    tweetnacl.says = true;
    const verdict = await verdictOn({ tamper: forged, known });
    expect(verdict).toMatchObject({ ok: false, error: { code: 'SIGNATURE_DISPUTED', fields: { accepting: 'tweetnacl', refusing: 'node:crypto' } } });
    expect(verdict.checks.find(({ ok }) => ok === false)).toMatchObject({ name: 'signature-node' });
    expect(remember).not.toHaveBeenCalled();
  });
});

it('what both refuse is a signature that does not verify, and nobody is at fault but whoever changed it', async () => {
  tweetnacl.says = false;
  expect(await verdictOn({ tamper: forged })).toMatchObject({ ok: false, error: { code: 'RELEASE_SIGNATURE' } });
});
