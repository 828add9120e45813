// The bill of materials against the package it lies in: one that speaks of another script says that something was changed after it was built.
import { SBOM_FILE, SCRIPT_FILE } from '../../package-names.ts';
import { readSbom } from '../../sbom.ts';
import { quote, type ContentRule } from '../finding.ts';

export const billOfMaterials: ContentRule = {
  name: 'bill-of-materials',
  *look({ files, manifest }) {
    // As the report reads it: two readers that differ would let a document say one thing to each.
    const { state, problem = '', expected = '', found = '', components } = readSbom(files, manifest);
    if (state === 'missing') {
      yield { outcome: 'note', risk: 'low', file: SBOM_FILE, message: `There is no bill of materials: nobody can look up which packages are part of the script.`, fix: 'Build it with `gatehouse build`, which writes one.' };
    } else if (state === 'unreadable') {
      yield { outcome: 'warn', risk: 'medium', file: SBOM_FILE, message: `The bill of materials is not a CycloneDX document that everybody reads alike: ${quote(problem, 300)}.`, fix: 'Build it again with `gatehouse build`.' };
    } else if (state === 'unbound' && !expected.startsWith(DIGEST)) {
      yield { outcome: 'warn', risk: 'medium', file: SBOM_FILE, message: `The bill of materials is about ${quote(found)}, and the package is ${quote(expected)}.`, fix: FIX };
    } else if (state === 'unbound' && !found.startsWith(DIGEST)) {
      yield { outcome: 'warn', risk: 'low', file: SBOM_FILE, message: `The bill of materials does not say which ${SCRIPT_FILE} it is about: it has no SHA-256 of it.`, fix: FIX };
    } else if (state === 'unbound') {
      yield { outcome: 'block', risk: 'high', file: SBOM_FILE, message: `The bill of materials is about another script: it says ${quote(found)}, and ${SCRIPT_FILE} has '${expected}'.`, fix: FIX };
    }
    for (const { name, version } of components) {
      if (version === null) yield { outcome: 'warn', risk: 'low', file: SBOM_FILE, message: `The bill of materials lists a component without a version: ${quote(name)}.`, fix: FIX };
    }
  },
};

/** How readSbom writes a digest; no id of a plugin begins like it. */
const DIGEST = 'sha256:';

const FIX = 'Build it again with `gatehouse build` and sign that; whoever changed the script after it was built must say why.';
