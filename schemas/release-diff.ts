// What changes from one release to another: `gatehouse diff --json`.
import { Type, type Static } from 'typebox';
import { Grant } from './capability.ts';
import { closed, oneOf, text } from './closed.ts';
import { ScanFinding, ScanOutcome } from './scan.ts';

const some = <T extends Parameters<typeof Type.Array>[0]>(item: T) => Type.Array(item, { maxItems: 10_000 });
const sentence = text(10_000);

/** One of the two; what could not be read of it is null. */
export const DiffSide = closed({
  id: text(128),
  version: text(64),
  publisher: text(40),
  keyid: Type.Union([text(60), Type.Null()]),
  packageDigest: text(80),
  issuedAt: Type.Union([text(30), Type.Null()]),
  expiresAt: Type.Union([text(30), Type.Null()]),
  /** Every check passed here. `null`: nobody's trust was at hand. */
  verified: Type.Union([Type.Boolean(), Type.Null()]),
  /** The check that failed. */
  problem: Type.Optional(sentence),
});
export type DiffSide = Static<typeof DiffSide>;

/** A value that differs, as JSON text; null where there is none. */
export const FactChange = closed({ fact: text(500), before: Type.Union([sentence, Type.Null()]), after: Type.Union([sentence, Type.Null()]) });
export type FactChange = Static<typeof FactChange>;

const FileFact = closed({ name: text(500), bytes: Type.Integer({ minimum: 0 }), sha256: text(64) });
const Component = closed({ name: text(500), version: text(200) });
const LimitChange = closed({ limit: oneOf('heapMb', 'cpuMsPerCall', 'wallMsPerCall', 'concurrency'), before: Type.Integer(), after: Type.Integer() });
/** The same power with other bounds; `gained` and `lost` are what exactly. */
const Rebound = closed({ before: Grant, after: Grant, gained: some(sentence), lost: some(sentence) });

export const ReleaseDiff = closed(
  {
    before: DiffSide,
    after: DiffSide,
    direction: oneOf('upgrade', 'rollback', 'same-version', 'other-plugin'),
    /** Anything wider, another signer, an older version, or something new that the scanner minds: it takes effect only once somebody agrees. */
    needsApproval: Type.Boolean(),
    /** Why, a sentence each, gravest first. */
    reasons: some(sentence),
    /** What it may do less, or not any more; that takes effect at once. */
    narrower: some(sentence),
    powers: closed({
      added: some(Grant),
      removed: some(Grant),
      widened: some(Rebound),
      narrowed: some(Rebound),
      limits: closed({ raised: some(LimitChange), lowered: some(LimitChange) }),
      hooks: closed({ added: some(sentence), removed: some(sentence) }),
    }),
    /** Who it says it is and asks for, other than powers. */
    identity: some(FactChange),
    tools: closed({ added: some(text(64)), removed: some(text(64)), changed: some(closed({ name: text(64), what: some(text(100)) })) }),
    config: some(FactChange),
    files: closed({ added: some(FileFact), removed: some(FileFact), changed: some(closed({ name: text(500), before: FileFact, after: FileFact })) }),
    sbom: closed({ added: some(Component), removed: some(Component), changed: some(closed({ name: text(500), before: text(200), after: text(200) })) }),
    /** By what their bytes say, without the place they are in; null where one was not scanned. */
    scan: Type.Union([closed({ before: ScanOutcome, after: ScanOutcome, added: some(ScanFinding), removed: some(ScanFinding) }), Type.Null()]),
  },
  { title: 'Gatehouse release diff' },
);
export type ReleaseDiff = Static<typeof ReleaseDiff>;
