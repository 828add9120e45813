// A package as the host knows it: one content, by its digest, with the instances that run it and what was said of it. Shown by the API and `gatehouse packages`.
import { Type, type Static } from 'typebox';
import { closed, text, whole } from './closed.ts';
import { ApprovalView, PluginState } from './control.ts';
import { Digest, InstanceName, PluginId, Timestamp, Version } from './ids.ts';
import { ScanOutcome, ScanRisk, ScanView } from './scan.ts';

/** A scan, without its findings. */
export const PackageScan = closed({ outcome: ScanOutcome, risk: ScanRisk, findings: whole(0, 1000), rules: text(40), at: Timestamp });

export const PackageView = closed({
  digest: Digest,
  plugin: PluginId,
  version: Version,
  instances: Type.Array(closed({ instance: InstanceName, state: PluginState }), { description: 'Those that it is the package of now.' }),
  scan: Type.Optional({ ...PackageScan, description: 'The newest scan that is kept.' }),
});
export type PackageView = Static<typeof PackageView>;

/** One package with all that was said of it, newest first. */
export const PackageDetail = closed({ ...PackageView.properties, scans: Type.Array(ScanView), approvals: Type.Array(ApprovalView) });
export type PackageDetail = Static<typeof PackageDetail>;
