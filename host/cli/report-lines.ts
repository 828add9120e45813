// A report for people, as narrow as their terminal. Everything in it that came with a package is made safe before it is shown. Called by `verify` and `inspect`.
import type { Check } from '../trust/checks.ts';
import type { FileFacts, Report } from '../trust/report/report.ts';
import { findingLines, SCAN_TONES } from './finding-lines.ts';
import { plainLine, type Io, type Tone } from './io.ts';
import { table } from './table.ts';
import { wrapped } from './wrap.ts';

/** `brief`: what decides whether to trust it. Else all there is to know before enabling it. */
export function reportLines(io: Io, report: Report, { brief }: { readonly brief: boolean }): string {
  const sections: readonly (readonly [string, readonly string[]])[] = [
    ['', identityLines(io, report, brief)],
    ['Signed by', trustLines(io, report)],
    ['Release', releaseLines(io, report)],
    ['It asks to', capabilityLines(io, report)],
    ['It is called', (report.hooks ?? []).flatMap((hook) => item(io, hook))],
    ['It is reached at', brief ? [] : (report.ingress ?? []).flatMap(({ method, path, verify, meaning }) => item(io, `${method} ${path}  ${verify === 'none' ? 'by anyone: nothing is verified' : `${verify}: ${meaning}`}`))],
    ['It writes', brief || report.text === undefined ? [] : [`texts in ${report.text}`]],
    ['Its tools', brief ? [] : rows(table(io, report.tools ?? [], { name: ({ name }) => name, effects: ({ effects }) => effects, description: ({ description }) => description }, ''))],
    ['It requires', brief ? [] : (report.requires ?? []).flatMap((each) => item(io, `${each.id} ${each.range}${each.optional === true ? ' (optional)' : ''}`))],
    ['Limits', limitLines(io, report)],
    ['Configuration', brief ? [] : rows(table(io, report.config ?? [], { name: ({ name }) => name, type: ({ type }) => type, '': ({ required, secret }) => [required ? 'required' : '', secret ? 'secret' : ''].filter(Boolean).join(', '), meaning: ({ description }) => description ?? '' }, ''))],
    ['Made of', sbomLines(io, report, brief)],
    ['Scan', scanLines(io, report)],
    ['Reviewed', reviewLines(io, report)],
    ['Built again', rebuildLines(io, report)],
    ['Files', fileLines(io, report)],
    ['Checks', report.checks.filter(({ ok }) => ok !== null).flatMap((check) => checkLines(io, check)).concat(skippedLines(io, report.checks))],
  ];
  return sections.filter(([, lines]) => lines.length > 0).map(([title, lines]) => [...(title === '' ? [] : [io.tone('bold', title)]), ...lines].join('\n')).join('\n\n');
}

/** The last word of `verify`. */
export function verdictLines(io: Io, report: Report): string {
  const name = `${report.id} ${report.version}\n${report.packageDigest}`;
  if (!report.ok) {
    const failed = report.checks.find(({ ok }) => ok === false);
    return [`${io.tone('red', 'Refused.')} ${safe(report.message ?? '', 600)}`, ...valueLines(io, failed, ''), safe(report.fix ?? '', 400)].map((line) => wrapped(line, io.width, 0).join('\n')).join('\n');
  }
  if (!report.vouched) return `${io.tone('yellow', 'Intact, but nobody vouches for it:')} ${name}\nThe signature was not checked. Name trust records with --trust, or a home with --home.`;
  return `${io.tone('green', `Verified, signed by '${report.publisher}':`)} ${name}`;
}

function identityLines(io: Io, report: Report, brief: boolean): string[] {
  const { displayName, claimed, kind, description, license, repository, securityContact, hostApi, packageDigest, keyid } = report;
  const { id, version, publisher } = { ...claimed, ...(report.id !== null && { id: report.id, version: report.version, publisher: report.publisher }) };
  return facts(io, {
    plugin: displayName === undefined ? undefined : `${displayName} (${id} ${version})`,
    kind, description: brief ? undefined : description, publisher, license, repository, security: securityContact, hostApi: brief ? undefined : hostApi,
    digest: packageDigest, 'signed by': keyid ?? 'nobody', package: report.package && `${report.package.files} files, ${report.package.bytes} bytes, ${report.package.path}`,
  });
}

function trustLines(io: Io, { trust, vouched }: Report): string[] {
  if (!trust) return [];
  const { publisher, record, prefixes, matched, keys, succession } = trust;
  const path = vouched ? `'${publisher}', by the record ${record}` : `a key of '${publisher}' (${record}), but the signature does not hold`;
  return [
    ...item(io, path, vouched ? undefined : 'red'),
    ...succession.flatMap(({ keyid, introducedBy, statement }) => item(io, `${keyid} was introduced by ${introducedBy} (${statement})`)),
    ...item(io, matched === null ? `which may sign ${prefixes.join(', ')} and nothing else` : `which may sign ${matched}* (of ${prefixes.join(', ')})`, matched === null ? 'red' : undefined),
    ...keys.flatMap(({ keyid, notBefore, notAfter, development, signed }) => item(io, `${keyid}  ${windowText(notBefore, notAfter)}${development ? ', development' : ''}${signed ? '  ← signed this' : ''}`)),
  ];
}

function windowText(notBefore: string | null, notAfter: string | null): string {
  if (notBefore === null && notAfter === null) return 'valid without end';
  return `valid ${notBefore === null ? '' : `from ${notBefore} `}${notAfter === null ? 'without end' : `to ${notAfter}`}`;
}

function releaseLines(io: Io, { release, vouched }: Report): string[] {
  if (!release) return [];
  const { issuedAt, expiresAt, provenance } = release;
  return facts(io, {
    issued: issuedAt, expires: expiresAt ?? 'never',
    'made from': provenance ? `${provenance.source} at ${provenance.commit}${provenance.builder === undefined ? '' : `, by ${provenance.builder}`}${vouched ? ', as its publisher says' : ''}` : 'not said',
  });
}

function capabilityLines(io: Io, { capabilities }: Report): string[] {
  if (!capabilities) return [];
  if (capabilities.length === 0) return ['nothing: it only sees what it is called with'];
  return capabilities.flatMap(({ meaning, reason }) => [...item(io, meaning), ...(reason === undefined ? [io.tone('yellow', '  without a reason')] : wrapped(`  “${safe(reason, 500)}”`, io.width, 3).map((line) => io.tone('dim', line)))]);
}

function limitLines(io: Io, { limitFacts = [] }: Report): string[] {
  if (limitFacts.length === 0) return [];
  return rows(table(io, limitFacts, { limit: ({ limit }) => limit, value: ({ value }) => String(value), asked: ({ asked }) => (asked ? 'by the plugin' : 'default'), default: (each) => String(each.default), 'may be': ({ least, most }) => `${least} to ${most}` }, ''));
}

function sbomLines(io: Io, { sbom }: Report, brief: boolean): string[] {
  if (!sbom) return [];
  const { state, problem, expected, found, components, sources, tools } = sbom;
  if (state === 'missing') return [io.tone('yellow', 'not said: it has no bill of materials')];
  const head = state === 'bound' ? item(io, `${plural(components.length, 'package')} and ${plural(sources, 'file')} of its own, as its list for exactly this script says${tools.length === 0 ? '' : ` (${tools.join(', ')})`}`)
    : [...item(io, `its list does not count: ${problem}`, 'yellow'), ...valueLines(io, { expected, found }, '  ')];
  const shown = brief ? components.slice(0, 8) : components;
  const rest = components.length - shown.length;
  return [...head, ...shown.flatMap(({ name, version, license }) => item(io, `${name} ${version ?? ''}  ${license ?? 'no licence named'}`)), ...(rest > 0 ? [`  and ${rest} more; \`gatehouse inspect\` lists them`] : [])];
}

const SCAN_WORDS = { pass: 'nothing that needs a decision', warn: 'warns: it runs only once reviewers agree', block: 'blocks: it never runs, and nobody can approve it' } as const;

function scanLines(io: Io, { scan }: Report): string[] {
  if (!scan) return [];
  const { outcome, risk, findings, rules } = scan;
  const head = item(io, `${SCAN_WORDS[outcome]}${risk === 'none' ? '' : `; risk ${risk}`} (rules ${rules})`, outcome === 'pass' ? 'green' : SCAN_TONES[outcome]);
  return [...head, ...findingLines(io, findings)];
}

function reviewLines(io: Io, { reviews }: Report): string[] {
  return reviews.flatMap(({ decision, reviewer, instance, issuedAt, note, problem, grantsDigest }) => {
    const tone = problem !== null ? 'dim' : decision === 'approve' ? 'green' : 'red';
    const text = `${decision === 'approve' ? 'approved' : 'rejected'} by ${reviewer} for '${instance}' with grants ${grantsDigest.slice(0, 19)}… at ${issuedAt}: “${note}”`;
    return item(io, problem === null ? text : `${text}; this does not count: ${problem}`, tone);
  });
}

function rebuildLines(io: Io, { rebuilds: [latest], rebuildProblem, release }: Report): string[] {
  if (!latest) return rebuildProblem === undefined ? [] : item(io, rebuildProblem, 'yellow');
  const { verdict, at, commit, tools, files, problem, differences = [] } = latest;
  const tone: Tone = verdict === 'reproduced' ? 'green' : verdict === 'differs' ? 'red' : 'yellow';
  const text = verdict === 'reproduced' ? `reproduced: all ${files} files are the same` : verdict === 'differs' ? `differs: ${differences.map(({ name }) => name).join(', ')}` : `could not be built: ${problem}`;
  const stated = release?.provenance?.commit;
  const source = commit === undefined ? [] : item(io, `from commit ${commit}${stated === undefined ? '' : stated === commit ? ', which the release names' : `; the release names ${stated}`}`, stated === undefined || stated === commit ? undefined : 'yellow');
  return [...item(io, `${text} (${at}, gatehouse ${tools.gatehouse}${tools.esbuild === undefined ? '' : `, esbuild ${tools.esbuild}`})`, tone), ...source];
}

const FILE_TONES: Readonly<Partial<Record<FileFacts['state'], Tone>>> = { changed: 'red', missing: 'red', extra: 'red' };

/** A digest is 64 characters: beside the name where there is room, below it where there is not. */
function fileLines(io: Io, { files }: Report): string[] {
  const width = Math.min(Math.max(0, ...files.map(({ name }) => name.length)), 60);
  const isWide = io.width >= width + 96;
  return files.flatMap(({ name, bytes, sha256, state, expected }) => {
    const tone = FILE_TONES[state];
    const head = `${safe(name, 200).padEnd(width)}  ${String(bytes ?? '–').padStart(9)}  ${state.padEnd(8)}`;
    const digests = [...(sha256 === null ? [] : [sha256]), ...(expected === undefined ? [] : [`signed: ${expected}`])];
    const lines = isWide ? [`${head}  ${digests.join('  ')}`] : [head, ...digests.map((each) => `  ${each}`)];
    return lines.map((line) => (tone ? io.tone(tone, line.trimEnd()) : line.trimEnd()));
  });
}

function checkLines(io: Io, check: Check): string[] {
  const mark = check.ok === true ? io.tone('green', '✓') : io.tone('red', '✗');
  const [first = '', ...rest] = wrapped(`${check.name.padEnd(NAME_WIDTH)}  ${safe(check.detail, 600)}`, io.width - 2, io.width < 100 ? 2 : NAME_WIDTH + 2);
  return [`${mark} ${first}`, ...rest.map((line) => `  ${line}`), ...(check.ok === false ? valueLines(io, check, ' '.repeat(4)) : [])];
}

const NAME_WIDTH = 19;

/** What was not checked, those left out for one reason together. */
function skippedLines(io: Io, checks: readonly Check[]): string[] {
  const skipped = Map.groupBy(checks.filter(({ ok }) => ok === null), ({ detail }) => detail);
  return [...skipped].flatMap(([why, group]) => wrapped(`– ${group.map(({ name }) => name).join(', ')}: ${safe(why, 200)}`, io.width, 2).map((line) => io.tone('dim', line)));
}

function valueLines(io: Io, values: { readonly expected?: string | undefined; readonly found?: string | undefined } | undefined, indent: string): string[] {
  const line = (name: string, value: string | undefined) => (value === undefined ? [] : wrapped(`${indent}${name} ${safe(value, 600)}`, io.width, indent.length + 2));
  return [...line('expected:', values?.expected), ...line('found:   ', values?.found)];
}

function facts(io: Io, values: Readonly<Record<string, string | null | undefined>>): string[] {
  const shown = Object.entries(values).flatMap(([name, value]) => (value === undefined || value === null ? [] : [[name, value] as const]));
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.flatMap(([name, value]) => {
    const [first = '', ...rest] = wrapped(safe(value, 600), io.width - width - 2, 0);
    return [`${io.tone('dim', name.padEnd(width))}  ${first}`, ...rest.map((line) => `${' '.repeat(width + 2)}${line}`)];
  });
}

function item(io: Io, text: string, tone?: Tone): string[] {
  const lines = wrapped(`• ${safe(text, 600)}`, io.width, 2);
  return tone ? lines.map((line) => io.tone(tone, line)) : lines;
}

const safe = (text: string, width: number) => plainLine(text, width);
const rows = (text: string): string[] => (text === '' ? [] : text.split('\n'));
const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? '' : 's'}`;
