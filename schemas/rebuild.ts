// What became of rebuilding a package from its source: the record that `verify --rebuild` leaves in a home, and that reports show.
import { Type, type Static } from 'typebox';
import { BOUNDS } from './bounds.ts';
import { closed, oneOf, text, whole } from './closed.ts';
import { Digest, PluginId, Timestamp, Version } from './ids.ts';

export const RebuildVerdict = oneOf('reproduced', 'differs', 'could-not-build');
export type RebuildVerdict = Static<typeof RebuildVerdict>;

/** One file that is not the same. Digests are null where there is no such file. */
export const RebuildDifference = closed({
  name: text(300, { minLength: 1 }),
  package: Type.Union([Digest, Type.Null()]),
  rebuilt: Type.Union([Digest, Type.Null()]),
});
export type RebuildDifference = Static<typeof RebuildDifference>;

export const RebuildAttempt = closed({
  at: Timestamp,
  verdict: RebuildVerdict,
  commit: Type.Optional(Type.String({ pattern: '^([0-9a-f]{40}|[0-9a-f]{64})$', description: 'The commit that was checked out where the source lay.' })),
  tools: closed({ gatehouse: text(64), esbuild: Type.Optional(text(64)) }),
  files: whole(0, 2 * BOUNDS.packageFiles, { description: 'How many files were compared: of the package and of what was built.' }),
  problem: Type.Optional(text(2000)),
  differences: Type.Optional(Type.Array(RebuildDifference, { maxItems: 1000 })),
});
export type RebuildAttempt = Static<typeof RebuildAttempt>;

/** `manifests/trust/rebuilds/<hex of the package digest>.json`: the newest attempt first. */
export const RebuildRecord = closed(
  { $schema: Type.Optional(text(300)), plugin: PluginId, version: Version, packageDigest: Digest, attempts: Type.Array(RebuildAttempt, { minItems: 1, maxItems: 20 }) },
  { title: 'Gatehouse rebuild record' },
);
export type RebuildRecord = Static<typeof RebuildRecord>;
