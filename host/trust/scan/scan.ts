// The scanner: every rule over a package, and what the findings come to. Used by the registry for what shall run, and by `scan`, `verify` and `inspect`.
import { MOST_SCAN_FINDINGS, type ScanFinding, type ScanOutcome, type ScanResult, type ScanRisk } from '../../../schemas/scan.ts';
import type { PluginManifest } from '../../../schemas/plugin-manifest.ts';
import { toTimestamp } from '../../clock.ts';
import { SCRIPT_FILE } from '../package-names.ts';
import { lookApart } from './apart.ts';
import type { Content, Surroundings } from './finding.ts';
import { lookThrough } from './look.ts';
import { PLACE_RULES, RULES_VERSION } from './rules.ts';
import { RISKS, weightOf, worstOf } from './worst.ts';

export interface ScanOptions extends Surroundings {
  /** Milliseconds since the epoch, for `at`. */
  readonly now: number;
  /** What the rules about bytes said of this digest before, by the same rules: they are not asked again. */
  readonly known?: readonly ScanFinding[] | undefined;
}

/**
 * Never throws for what is in a package, and never takes the host's thread for long: what is big is looked through in a process of its own, which is ended when
 * it takes too long or too much. `manifest` is the one in `files`.
 */
export async function scanRelease(files: ReadonlyMap<string, Uint8Array>, manifest: PluginManifest, options: ScanOptions): Promise<ScanResult> {
  const content = { files, manifest };
  return judged(content, options.known ?? (await contentFindings(content)), options);
}

/** By what is known of the bytes; what the place says is asked now, and takes no time worth speaking of. */
export function judged(content: Content, known: readonly ScanFinding[], options: Surroundings & { readonly now: number }): ScanResult {
  return resultOf([...known, ...placeFindings(content, options)], options);
}

/** So much is looked through on the spot: some milliseconds, and some tenths of a second where somebody made it hard on purpose. */
const SMALL_SCRIPT_BYTES = 32 * 1024;
const SMALL_PACKAGE_BYTES = 512 * 1024;

/** What the bytes alone say; the same for the same bytes and rules. */
export function contentFindings(content: Content): Promise<readonly ScanFinding[]> | readonly ScanFinding[] {
  return isSmall(content) ? lookThrough(content) : lookApart(content);
}

export function isSmall({ files }: Content): boolean {
  let bytes = 0;
  for (const content of files.values()) bytes += content.length;
  return (files.get(SCRIPT_FILE)?.length ?? 0) <= SMALL_SCRIPT_BYTES && bytes <= SMALL_PACKAGE_BYTES;
}

const PLACE_NAMES: ReadonlySet<string> = new Set(PLACE_RULES.map(({ name }) => name));

/** Those that are kept by digest. */
export const ofContent = (findings: readonly ScanFinding[]): readonly ScanFinding[] => findings.filter(({ rule }) => !PLACE_NAMES.has(rule));

function placeFindings(content: Content, surroundings: Surroundings): ScanFinding[] {
  return PLACE_RULES.flatMap((rule) => {
    const worst = worstOf(rule.name);
    for (const sighting of rule.look({ ...content, ...surroundings })) worst.add(sighting);
    return worst.findings();
  });
}

/** The worst finding decides; the worst comes first, and within that the order of the rules. */
export function resultOf(findings: readonly ScanFinding[], { now, packageDigest }: Pick<ScanOptions, 'now' | 'packageDigest'>): ScanResult {
  const sorted = findings.toSorted((a, b) => weightOf(b) - weightOf(a)).slice(0, MOST_SCAN_FINDINGS);
  const has = (outcome: ScanFinding['outcome']) => findings.some((each) => each.outcome === outcome);
  const outcome: ScanOutcome = has('block') ? 'block' : has('warn') ? 'warn' : 'pass';
  const risk = findings.reduce<ScanRisk>((worst, each) => (RISKS.indexOf(each.risk) > RISKS.indexOf(worst) ? each.risk : worst), 'none');
  return { outcome, risk, findings: sorted, rules: RULES_VERSION, at: toTimestamp(now), packageDigest };
}

/** One line for a message: `capability-not-asked: It uses …`, and how many more there are of the same outcome. */
export function worstInWords({ outcome, findings }: ScanResult): string {
  const decisive = findings.filter((each) => each.outcome === outcome);
  const shown = decisive.slice(0, 2).map(({ rule, file, line, message }) => `${rule} (${line === undefined ? file : `${file}:${line}`}): ${message}`);
  const more = decisive.length - shown.length;
  return `${shown.join(' ')}${more > 0 ? ` And ${more} more.` : ''}`;
}
