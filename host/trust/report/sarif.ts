// A report as SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/), for tools that gather findings: every check is a rule and a result, with its place in the package. Called by `verify` and `inspect`.
import { createHash } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import type { ScanFinding } from '../../../schemas/scan.ts';
import { VERSION } from '../../version.ts';
import { CHECKS, CHECK_FACTS, type Check } from '../checks.ts';

import { SBOM_FILE, SCRIPT_FILE } from '../package-names.ts';
import type { Report } from './report.ts';

/** Rules beside the checks: what is worth a look and refuses nothing by itself. */
const NOTICES = {
  sbom: { title: 'The bill of materials is of this bundle', help: 'The package has no list of what it is made of, or one that is of another bundle. Nobody can tell from it what the script holds.', file: SBOM_FILE },
  rebuild: { title: 'The package can be built again from its source', help: 'Building the source again gave other bytes, or nothing. Find out what differs before you believe that the source is what runs.', file: SCRIPT_FILE },
} as const;

type Level = 'error' | 'warning' | 'note';

interface Finding {
  readonly rule: string;
  readonly kind: 'pass' | 'fail' | 'open';
  readonly level: Level | 'none';
  readonly message: string;
  readonly file: string | null;
  readonly region?: { readonly startLine: number; readonly startColumn?: number } | undefined;
  readonly properties?: Readonly<Record<string, string>>;
}

/** `exitCode` is that of the command that prints it. One run with every rule. Results of `kind` `fail` are what is wrong; `pass` and `open` (not checked) show that the rest was looked at. */
export function sarifOf(report: Report, exitCode: number) {
  const findings = [...report.checks.map((check) => checkFinding(check, report)), ...sbomFinding(report), ...rebuildFinding(report), ...(report.scan?.findings ?? []).map(scanFinding)];
  const rules = [...RULES, ...scanRules(report)];
  const files = report.files.map(({ name }) => name);
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'gatehouse', semanticVersion: VERSION, informationUri: 'https://gatehouse.dev', rules } },
        invocations: [{ executionSuccessful: true, exitCode }],
        columnKind: 'utf16CodeUnits',
        originalUriBaseIds: { PACKAGE: { ...(report.package?.form === 'folder' && { uri: `${pathToFileURL(report.package.path).href}/` }), description: { text: 'The root of the package.' } } },
        artifacts: report.files.map(({ name, bytes, sha256 }) => ({ location: locationOf(name), ...(bytes === null ? {} : { length: bytes }), ...(sha256 === null ? {} : { hashes: { 'sha-256': sha256 } }) })),
        results: findings.map((finding) => ({
          ruleId: finding.rule,
          ruleIndex: rules.findIndex(({ id }) => id === finding.rule),
          kind: finding.kind,
          level: finding.level,
          message: { text: literal(finding.message) },
          ...(finding.file !== null && { locations: [{ physicalLocation: { artifactLocation: { ...locationOf(finding.file), ...(files.includes(finding.file) && { index: files.indexOf(finding.file) }) }, ...(finding.region && { region: finding.region }) } }] }),
          partialFingerprints: { 'gatehouse/v1': createHash('sha256').update(JSON.stringify([report.id, finding.rule, finding.kind, finding.file, finding.rule.startsWith('scan/') ? finding.message : null])).digest('hex') },
          ...(finding.properties && { properties: finding.properties }),
        })),
        properties: { packageDigest: report.packageDigest, plugin: report.id, version: report.version, publisher: report.publisher, keyid: report.keyid, vouched: report.vouched },
      },
    ],
  };
}

/** A viewer makes links of `[text](address)` (§3.11.6): what a package says stays what it says. */
const literal = (text: string) => text.replaceAll(/[\\[\]]/g, String.raw`\$&`);
const checkRule = (name: string) => `check/${name}`;
const locationOf = (name: string) => ({ uri: name.split('/').map(encodeURIComponent).join('/'), uriBaseId: 'PACKAGE' });

const rule = (id: string, level: Level, { title, help }: { readonly title: string; readonly help: string }) => ({
  id,
  name: id.replaceAll(/(?:^|[/-])(\w)/g, (_, letter: string) => letter.toUpperCase()),
  shortDescription: { text: `${title}.` },
  fullDescription: { text: literal(help) },
  help: { text: literal(help) },
  defaultConfiguration: { level },
});

const RULES = [...CHECKS.map((name) => rule(checkRule(name), 'error', CHECK_FACTS[name])), rule('sbom', 'warning', NOTICES.sbom), rule('rebuild', 'warning', NOTICES.rebuild)];

const SCAN_LEVELS = { note: 'note', warn: 'warning', block: 'error' } as const satisfies Record<ScanFinding['outcome'], Level>;
/** What code scanning sorts by: a number from 0 to 10 (CVSS). */
const SEVERITIES = { none: '0.0', low: '2.0', medium: '5.0', high: '8.0', critical: '9.5' } as const satisfies Record<ScanFinding['risk'], string>;

/** Rules of the scanner that found something; each finding brings its own remedy. */
function scanRules({ scan }: Report) {
  const first = new Map((scan?.findings ?? []).toReversed().map((finding) => [finding.rule, finding]));
  return [...first.values()].toReversed().map(({ rule: name, outcome, risk, fix }) => ({ ...rule(`scan/${name}`, SCAN_LEVELS[outcome], { title: `Scanner rule ${name}`, help: fix }), properties: { 'security-severity': SEVERITIES[risk] } }));
}

function scanFinding({ rule: name, outcome, risk, file, line, column, message, fix }: ScanFinding): Finding {
  return {
    rule: `scan/${name}`, kind: 'fail', level: SCAN_LEVELS[outcome], message, file,
    region: line === undefined ? undefined : { startLine: line, ...(column === undefined ? {} : { startColumn: column }) },
    properties: { outcome, risk, fix },
  };
}

function checkFinding({ name, ok, detail, code, expected, found, file }: Check, { place }: Report): Finding {
  const kind = ok === null ? 'open' : ok ? 'pass' : 'fail';
  const properties = { ...(code && { code }), ...(expected !== undefined && { expected }), ...(found !== undefined && { found }) };
  return { rule: checkRule(name), kind, level: kind === 'fail' ? 'error' : 'none', message: detail, file: file ?? CHECK_FACTS[name].file, ...(kind === 'fail' && { properties }), ...(kind === 'fail' && name === 'manifest' && place && { region: { startLine: place.line, startColumn: place.column } }) };
}

function sbomFinding({ sbom }: Report): Finding[] {
  if (!sbom) return [];
  const { state, problem, expected, found, components, sources } = sbom;
  if (state === 'bound') return [{ rule: 'sbom', kind: 'pass', level: 'none', message: `It names ${components.length} packages and ${sources} files of the plugin's own.`, file: SBOM_FILE }];
  const message = state === 'missing' ? 'The package has no bill of materials.' : `The bill of materials does not count: ${problem}`;
  return [{ rule: 'sbom', kind: 'fail', level: 'warning', message, file: state === 'missing' ? null : SBOM_FILE, properties: { ...(expected !== undefined && { expected }), ...(found !== undefined && { found }) } }];
}

function rebuildFinding({ rebuilds: [latest] }: Report): Finding[] {
  if (!latest) return [];
  if (latest.verdict === 'reproduced') return [{ rule: 'rebuild', kind: 'pass', level: 'none', message: `Built again at ${latest.at}: all ${latest.files} files are the same.`, file: null }];
  const differing = latest.differences ?? [];
  const message = latest.verdict === 'differs' ? `Built again at ${latest.at}: ${differing.map(({ name }) => name).join(', ')} ${differing.length === 1 ? 'differs' : 'differ'}.` : `It could not be built again at ${latest.at}: ${latest.problem}`;
  return [{ rule: 'rebuild', kind: 'fail', level: latest.verdict === 'differs' ? 'error' : 'warning', message, file: differing[0]?.name ?? null }];
}
