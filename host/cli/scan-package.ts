// A scan from files alone, as a host over this home would make it. Called by `scan` and `plugins enable`.
import type { PluginManifest } from '../../schemas/plugin-manifest.ts';
import type { Provenance } from '../../schemas/release.ts';
import type { ScanResult } from '../../schemas/scan.ts';
import { systemClock } from '../clock.ts';
import type { ResolvedConfig } from '../config.ts';
import { discover } from '../registry/discover.ts';
import { scanPolicyOf } from '../registry/scans.ts';
import { scanRelease } from '../trust/scan/scan.ts';
import { trustOfHome } from './home-trust.ts';
import { plainLine, type Io } from './io.ts';

export interface ScannedPackage {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly manifest: PluginManifest;
  readonly packageDigest: string;
  readonly provenance?: Provenance | undefined;
}

/** Without a home nobody's policy counts and no names are known but those of the first party. */
export async function scanForHome({ files, manifest, packageDigest, provenance }: ScannedPackage, config: ResolvedConfig | undefined): Promise<ScanResult> {
  const now = systemClock.now();
  const [records, installed] = config ? await Promise.all([trustOfHome(config, now).then(({ trust }) => trust.records), discover(config).then(({ enablements }) => enablements.map(({ enablement }) => enablement.plugin))]) : [[], []];
  const prefixes = records.filter(({ record }) => record.publisher !== manifest.publisher).flatMap(({ record }) => record.prefixes);
  const isSettled = installed.includes(manifest.id);
  return scanRelease(files, manifest, { packageDigest, provenance, policy: scanPolicyOf(config?.trust ?? {}), knownNames: [...prefixes, ...installed], isSettled, now });
}

/** A line or two for each finding, the worst first; `brief` leaves notes out. */
export function scanLines(io: Io, { findings }: Pick<ScanResult, 'findings'>, { brief = false }: { readonly brief?: boolean } = {}): string[] {
  const shown = brief ? findings.filter(({ outcome }) => outcome !== 'note') : findings;
  return shown.flatMap(({ rule, outcome, risk, file, line, column, message, fix }) => {
    const place = [file, line, column].filter((part) => part !== undefined).join(':');
    const tone = outcome === 'block' ? 'red' : outcome === 'warn' ? 'yellow' : 'dim';
    return [`${io.tone(tone, outcome.padEnd(5))} ${plainLine(`${place}  ${rule}, risk ${risk}`, 300)}`, `      ${plainLine(message, 600)}`, ...(outcome === 'note' ? [] : [`      ${io.tone('dim', plainLine(fix, 400))}`])];
  });
}
