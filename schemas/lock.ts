// `manifests/gatehouse.lock.json`: exactly what runs here, made by `gatehouse lock` from resolution and approvals. A strict host starts nothing else.
import { Type, type Static } from 'typebox';
import { closed, text } from './closed.ts';
import { Digest, INSTANCE, KeyId, PluginId, Publisher, Version } from './ids.ts';
import { ScanOutcome } from './scan.ts';

export const LockedInstance = closed({
  plugin: PluginId,
  version: Version,
  publisher: Publisher,
  keyid: KeyId,
  packageDigest: Digest,
  grantsDigest: Digest,
  approvals: Type.Array(text(100), { maxItems: 64, description: 'Ids of the approvals that count, sorted.' }),
  scan: Type.Unsafe<ScanOutcome>({ ...ScanOutcome, description: 'What the scanner said of it.' }),
});
export type LockedInstance = Static<typeof LockedInstance>;

export const Lock = closed(
  {
    $schema: Type.Optional(text(300)),
    lockVersion: Type.Literal(1),
    instances: Type.Record(Type.String({ pattern: INSTANCE }), LockedInstance, { maxProperties: 10_000, additionalProperties: false }),
  },
  { title: 'Gatehouse lock' },
);
export type Lock = Static<typeof Lock>;
