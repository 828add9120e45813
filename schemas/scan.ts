// What the scanner says of a package: findings, the outcome they come to, and how bad that would be. Shown by `scan`, `verify`, `inspect`, `check` and the API.
import { Type, type Static } from 'typebox';
import { closed, oneOf, text, whole } from './closed.ts';
import { Digest, PluginId, Timestamp, Version } from './ids.ts';

/** Whether it may run: `warn` only where reviewers agree, `block` never. */
export const ScanOutcome = oneOf('pass', 'warn', 'block');
export type ScanOutcome = Static<typeof ScanOutcome>;

/** How bad it would be if a finding is what it looks like; says nothing about whether the package may run. */
export const ScanRisk = oneOf('none', 'low', 'medium', 'high', 'critical');
export type ScanRisk = Static<typeof ScanRisk>;

export const MOST_SCAN_FINDINGS = 200;

export const ScanFinding = closed({
  rule: text(40),
  /** A `note` is for the reader only. */
  outcome: oneOf('note', 'warn', 'block'),
  risk: ScanRisk,
  file: text(500),
  line: Type.Optional(whole(1, Number.MAX_SAFE_INTEGER)),
  /** In UTF-16 units from 1. */
  column: Type.Optional(whole(1, Number.MAX_SAFE_INTEGER)),
  message: text(1000),
  fix: text(500),
});
export type ScanFinding = Static<typeof ScanFinding>;

export const ScanResult = closed({
  outcome: ScanOutcome,
  risk: ScanRisk,
  findings: Type.Array(ScanFinding, { maxItems: MOST_SCAN_FINDINGS }),
  rules: text(40, { description: 'The version of the rules it was scanned with.' }),
  at: Timestamp,
  packageDigest: Digest,
});
export type ScanResult = Static<typeof ScanResult>;

/** One scan of the history. */
export const ScanView = closed({ id: text(64), plugin: PluginId, version: Version, ...ScanResult.properties });
export type ScanView = Static<typeof ScanView>;
