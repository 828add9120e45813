// The ordered list of what the scanner looks for, and which version of it that is. scan.ts asks them all.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { version as parser } from 'acorn';
import type { ContentRule, PlaceRule } from './finding.ts';
import { billOfMaterials } from './rules/bill-of-materials.ts';
import { capabilityNotAsked } from './rules/capability-not-asked.ts';
import { capabilityUnused } from './rules/capability-unused.ts';
import { contact } from './rules/contact.ts';
import { dynamicCode } from './rules/dynamic-code.ts';
import { embeddedSecret } from './rules/embedded-secret.ts';
import { hiddenCode } from './rules/hidden-code.ts';
import { knownBad } from './rules/known-bad.ts';
import { lookAlike } from './rules/look-alike.ts';
import { obfuscatedCode } from './rules/obfuscated-code.ts';
import { packedData } from './rules/packed-data.ts';
import { provenancePolicy } from './rules/provenance-policy.ts';
import { suspiciousEndpoint } from './rules/suspicious-endpoint.ts';
import { unreadableCode } from './rules/unreadable-code.ts';
import { wideRequest } from './rules/wide-request.ts';

/** About the bytes alone, whose answers are kept by digest; in the order of reading. */
export const CONTENT_RULES: readonly ContentRule[] = [
  unreadableCode,
  obfuscatedCode,
  packedData,
  hiddenCode,
  dynamicCode,
  capabilityNotAsked,
  capabilityUnused,
  suspiciousEndpoint,
  embeddedSecret,
  wideRequest,
  billOfMaterials,
  contact,
];

/** About a package where it is to run; asked anew at every look, so that a changed list or policy counts at once. */
export const PLACE_RULES: readonly PlaceRule[] = [knownBad, provenancePolicy, lookAlike];

/** What the files of this folder use of others, without the ending; what those use in turn is not about what is found. A test holds this list against the imports. */
export const USED_FROM_OUTSIDE: readonly string[] = [
  '../../../schemas/abilities',
  '../../../schemas/scan',
  '../../clock',
  '../../schema',
  '../../secret-formats',
  '../package-names',
  '../provenance',
  '../sbom',
];

/** Made of the very text of the rules, of what they use, and the version of the parser: nobody has to remember to raise a number, and what was scanned by other rules is scanned again. */
export const RULES_VERSION = `1-${digestOfRules()}`;

function digestOfRules(): string {
  const digest = createHash('sha256').update(parser);
  const folder = import.meta.dirname;
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /(?<!\.d)\.[tj]s$/.test(name)).sort();
  const used = USED_FROM_OUTSIDE.map((name) => name + extname(import.meta.filename));
  for (const name of [...names, ...used]) digest.update(name).update(readFileSync(join(folder, name)));
  return digest.digest('hex').slice(0, 16);
}
