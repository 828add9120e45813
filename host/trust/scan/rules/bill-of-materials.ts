// The bill of materials against the package it lies in: one that speaks of another script says that something was changed after it was built.
import { createHash } from 'node:crypto';
import { SBOM_FILE, SCRIPT_FILE } from '../../package-names.ts';
import { quote, type ContentRule, type Sighting } from '../finding.ts';

export const billOfMaterials: ContentRule = {
  name: 'bill-of-materials',
  *look({ files, manifest: { id, version } }) {
    const bytes = files.get(SBOM_FILE);
    if (!bytes) {
      yield { outcome: 'note', risk: 'low', file: SBOM_FILE, message: `There is no bill of materials: nobody can look up which packages are part of the script.`, fix: 'Build it with `gatehouse build`, which writes one.' };
      return;
    }
    const document = readBill(bytes);
    if (!document) {
      yield { outcome: 'warn', risk: 'medium', file: SBOM_FILE, message: 'The bill of materials is not a CycloneDX document in JSON.', fix: 'Build it again with `gatehouse build`.' };
      return;
    }
    yield* differences(document, { id, version, sha256: createHash('sha256').update(files.get(SCRIPT_FILE) ?? '').digest('hex') });
  },
};

interface Bill {
  readonly name: unknown;
  readonly version: unknown;
  /** In lower case; undefined when it says none. */
  readonly sha256: string | undefined;
  readonly components: readonly Readonly<Record<string, unknown>>[];
}

function* differences(bill: Bill, own: { readonly id: string; readonly version: string; readonly sha256: string }): Iterable<Sighting> {
  const fix = 'Build it again with `gatehouse build` and sign that; whoever changed the script after it was built must say why.';
  const said = (value: unknown) => (typeof value === 'string' ? quote(value) : 'nothing');
  if (bill.name !== own.id || bill.version !== own.version) {
    yield { outcome: 'warn', risk: 'medium', file: SBOM_FILE, message: `The bill of materials is about ${said(bill.name)} ${said(bill.version)}, and the package is ${quote(own.id)} ${quote(own.version)}.`, fix };
  }
  if (bill.sha256 === undefined) {
    yield { outcome: 'warn', risk: 'low', file: SBOM_FILE, message: `The bill of materials does not say which ${SCRIPT_FILE} it is about: it has no SHA-256 of it.`, fix };
  } else if (bill.sha256 !== own.sha256) {
    yield { outcome: 'block', risk: 'high', file: SBOM_FILE, message: `The bill of materials is about another script: it says SHA-256 ${quote(bill.sha256, 70)}, and ${SCRIPT_FILE} has '${own.sha256}'.`, fix };
  }
  for (const component of bill.components) {
    if (typeof component['name'] === 'string' && typeof component['version'] === 'string') continue;
    yield { outcome: 'warn', risk: 'low', file: SBOM_FILE, message: `The bill of materials lists a component without ${typeof component['name'] === 'string' ? `a version: ${quote(component['name'])}` : 'a name'}.`, fix };
  }
}

function readBill(bytes: Uint8Array): Bill | undefined {
  let document: unknown;
  try {
    document = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined; // which is the finding
  }
  const { bomFormat, metadata, components } = record(document);
  if (bomFormat !== 'CycloneDX') return undefined;
  const { name, version, hashes } = record(record(metadata)['component']);
  const sha256 = list(hashes).find((each) => each['alg'] === 'SHA-256')?.['content'];
  return { name, version, sha256: typeof sha256 === 'string' ? sha256.toLowerCase() : undefined, components: list(components) };
}

const record = (value: unknown): Readonly<Record<string, unknown>> => (typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {});
const list = (value: unknown): readonly Readonly<Record<string, unknown>>[] => (Array.isArray(value) ? value.map(record) : []);
