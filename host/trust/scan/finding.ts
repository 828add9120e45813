// What the rules of the scanner are given and what they say. Every rule in rules/ is one of these; scan.ts has their order.
import type { PluginManifest } from '../../../schemas/plugin-manifest.ts';
import type { Provenance } from '../../../schemas/release.ts';
import type { ScanFinding } from '../../../schemas/scan.ts';
import type { Script } from './script.ts';

/** A package as it lies there. Its manifest is known to be well-formed; everything else may be anything. */
export interface Content {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly manifest: PluginManifest;
}

/** What a rule saw, before scan.ts puts the rule's name to it. */
export type Sighting = Omit<ScanFinding, 'rule'>;

/** Looks at the bytes of a package alone: what it says of a digest it says for ever, so that nobody asks twice. */
export interface ContentRule {
  readonly name: string;
  look(subject: Content & { readonly script: Script }): Iterable<Sighting>;
}

/** What the operator decided about packages in general. */
export interface ScanPolicy {
  /** Digests of packages and of single files that must never run. */
  readonly knownBad: readonly string[];
  readonly requireProvenance: boolean;
  readonly requireHttpsSource: boolean;
  /** Where sources may lie; any, when empty. */
  readonly trustedSourcePrefixes: readonly string[];
}

export const NO_POLICY: ScanPolicy = { knownBad: [], requireProvenance: false, requireHttpsSource: false, trustedSourcePrefixes: [] };

/** What is known around a package where it is to run. */
export interface Surroundings {
  readonly packageDigest: string;
  readonly provenance?: Provenance | undefined;
  readonly policy: ScanPolicy;
  /** Ids of plugins and prefixes of publishers (`acme.`) that the operator knows; those of its own publisher do not count. */
  readonly knownNames: readonly string[];
  /** It ran here before: whatever name came later is the imitation. */
  readonly isSettled: boolean;
}

/** Asks about a package and the place it is in; cheap, and asked at every look. */
export interface PlaceRule {
  readonly name: string;
  look(subject: Content & Surroundings): Iterable<Sighting>;
}

/** Foreign text inside a message: on one line, nothing that hides or reorders, cut to `most` characters. */
export function quote(text: string, most = 80): string {
  const cut = text.length > most ? `${text.slice(0, most - 1)}…` : text;
  return `'${cut.replace(/[^\u0020-\u007e\u00a1-\u00ac\u00ae-\u024f\u2026]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`)}'`;
}

/** The line, from 1, of the first place where a text holds this; the first line where it does not. */
export const lineOf = (text: string, part: string): number => text.slice(0, Math.max(0, text.indexOf(part))).split('\n').length;

/** Shannon's entropy of a text in bits a character: about 4.2 for prose and code, 6 for base64 of anything compressed. */
export function entropyOf(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  let total = 0;
  for (const count of counts.values()) total += count;
  for (const count of counts.values()) bits -= (count / total) * Math.log2(count / total);
  return bits;
}
