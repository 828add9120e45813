// One of the two releases that a diff compares: verified, or only read, which it then says. Called by `gatehouse diff`.
import type { Grant } from '../../../schemas/capability.ts';
import type { DiffSide } from '../../../schemas/release-diff.ts';
import type { Limits, PluginManifest } from '../../../schemas/plugin-manifest.ts';
import type { ScanFinding } from '../../../schemas/scan.ts';
import { contentFindings } from '../scan/scan.ts';
import type { ReleaseStatement } from '../../../schemas/release.ts';
import { ENVELOPE_FILE, readEnvelope } from '../dsse.ts';
import { GatehouseError } from '../../errors.ts';
import { readManifest } from '../manifest.ts';
import { MANIFEST_FILE } from '../package-names.ts';
import { readPackage } from '../package.ts';
import { grantsOf } from '../powers/grant-changes.ts';
import { limitsOf } from '../powers/limits.ts';
import type { Powers } from '../powers/powers.ts';
import { packageDigest, readStatement, subjectOf } from '../statement.ts';
import type { VerifiedRelease, Verification } from '../verify.ts';

export interface Side {
  readonly label: DiffSide;
  readonly manifest: PluginManifest;
  readonly files: ReadonlyMap<string, Buffer>;
  readonly provenance: ReleaseStatement['predicate']['provenance'];
  /** What the package asks for, or what an instance is given of it. */
  readonly powers: Powers;
  /** What the scanner finds in its bytes; absent where it was not asked. */
  readonly findings?: readonly ScanFinding[];
}

export interface Given {
  readonly grants: readonly Grant[];
  readonly limits: Required<Limits>;
  readonly limitsGiven?: Limits;
}

/** A release that passed every check. With `given` its powers are those of the instance it runs as. */
export function sideOfRelease(release: VerifiedRelease, given?: Given): Side {
  const { manifest, packageDigest: digest, keyid, publisher, issuedAt, expiresAt, files } = release;
  return {
    label: { id: manifest.id, version: manifest.version, publisher, keyid, packageDigest: digest, issuedAt, expiresAt: expiresAt ?? null, verified: true },
    manifest, files, provenance: release.provenance,
    powers: { manifest, ...(given ?? asked(manifest)) },
  };
}

/** A package as it lies there. It is compared even where it does not verify, since that is when people look closest. Throws PACKAGE_… and MANIFEST_INVALID for what cannot be read at all. */
export async function sideOfPackage(path: string, verification: Verification): Promise<Side> {
  if (verification.ok) {
    const side = sideOfRelease(verification.release);
    const scanned = { ...side, findings: await contentFindings(side) };
    const isVouchedFor = verification.checks.every(({ name, ok }) => name !== 'trust' || ok !== null);
    return isVouchedFor ? scanned : { ...scanned, label: { ...side.label, verified: null } };
  }
  const { files } = await readPackage(path);
  const manifest = readManifest(files.get(MANIFEST_FILE) ?? Buffer.alloc(0), MANIFEST_FILE);
  const { keyid, statement } = claimsIn(files, path);
  const { issuedAt = null, expiresAt = null, provenance } = statement?.predicate ?? {};
  return {
    label: {
      id: manifest.id, version: manifest.version, publisher: manifest.publisher, keyid, packageDigest: packageDigest(subjectOf(files)), issuedAt, expiresAt,
      verified: false, problem: verification.error.message,
    },
    manifest, files, provenance,
    powers: { manifest, ...asked(manifest) },
    findings: await contentFindings({ files, manifest }),
  };
}

const asked = ({ capabilities = [], limits = {} }: PluginManifest): Given => ({ grants: grantsOf(capabilities), limits: limitsOf(limits, {}) });

/** What an envelope says that nobody believes. */
function claimsIn(files: ReadonlyMap<string, Buffer>, path: string): { readonly keyid: string | null; readonly statement?: ReleaseStatement } {
  const bytes = files.get(ENVELOPE_FILE);
  let keyid: string | null = null;
  try {
    if (!bytes) return { keyid };
    const envelope = readEnvelope(bytes, path);
    keyid = envelope.keyid;
    return { keyid, statement: readStatement(envelope.payload, path) };
  } catch (thrown) {
    if (!(thrown instanceof GatehouseError)) throw thrown;
    return { keyid };
  }
}
