// A package of a few words for the scanner, and what it says of it, one line a finding: `dynamic-code warn high plugin.js:1`. What a case does not speak of is as it should be.
import { createHash } from 'node:crypto';
import type { PluginKind } from '../../schemas/plugin-manifest.ts';
import type { ScanResult } from '../../schemas/scan.ts';
import { readManifest } from '../../host/trust/manifest.ts';
import { NO_POLICY, type Surroundings } from '../../host/trust/scan/finding.ts';
import { lookThrough } from '../../host/trust/scan/look.ts';
import { scanRelease } from '../../host/trust/scan/scan.ts';
import { aManifest } from './packages.ts';

export interface ScanCase {
  readonly kind?: PluginKind;
  readonly id?: string;
  /** The text of plugin.js; lines of it as a list. */
  readonly script?: string | readonly string[];
  /** A text repeated instead of `script`, between a beginning and an end: for what is only bad when it is long. */
  readonly repeat?: { readonly before?: string; readonly text: string; readonly times: number; readonly after?: string };
  /** Laid over a minimal manifest. */
  readonly manifest?: Readonly<Record<string, unknown>>;
  /** Further files, or null for none of that name; sbom.cdx.json fits the script unless given. */
  readonly files?: Readonly<Record<string, string | null>>;
  readonly around?: Partial<Omit<Surroundings, 'policy'>> & { readonly policy?: Partial<Surroundings['policy']> };
}

export const DIGEST = `sha256:${'0'.repeat(64)}`;

/** A package of these parts; its manifest has been read as a host reads it. */
export function contentOf({ kind = 'tool', id = 'acme.weather', script = '', repeat, manifest = {}, files = {} }: ScanCase) {
  const text = repeat ? `${repeat.before ?? ''}${repeat.text.repeat(repeat.times)}${repeat.after ?? ''}` : typeof script === 'string' ? script : script.join('\n');
  const written = JSON.stringify(aManifest({ id, kind, securityContact: 'mailto:security@acme.example', ...manifest }), null, 2);
  const bill = { bomFormat: 'CycloneDX', specVersion: '1.6', metadata: { component: { type: 'application', name: id, version: '1.0.0', hashes: [{ alg: 'SHA-256', content: createHash('sha256').update(text).digest('hex') }] } }, components: [] };
  const all: Readonly<Record<string, string | null>> = { 'plugin.json': written, 'plugin.js': text, 'sbom.cdx.json': JSON.stringify(bill), ...files };
  const bytes = new Map(Object.entries(all).flatMap(([name, content]) => (content === null ? [] : [[name, Buffer.from(content)] as const])));
  return { files: bytes, manifest: readManifest(Buffer.from(written), 'plugin.json') };
}

export async function scanOf(given: ScanCase): Promise<ScanResult> {
  const { files, manifest } = contentOf(given);
  const { policy, ...around } = given.around ?? {};
  return scanRelease(files, manifest, { packageDigest: DIGEST, knownNames: [], isSettled: false, now: 0, ...around, policy: { ...NO_POLICY, ...policy }, known: lookThrough({ files, manifest }) });
}

export async function scanLines(given: ScanCase): Promise<string[]> {
  const { findings } = await scanOf(given);
  return findings.map(({ rule, outcome, risk, file, line }) => `${rule} ${outcome} ${risk} ${line === undefined ? file : `${file}:${line}`}`);
}
