// The block `trust` of host.json: what the operator's policy says of releases that are genuine.
import { Type, type Static } from 'typebox';
import { closed, oneOf, whole } from './closed.ts';
import { Digest, Publisher } from './ids.ts';

const SEGMENT = '[a-z][a-z0-9-]{0,39}';
/** No dot segments, nothing encoded, no port that goes without saying: as a verified provenance is written, so that a prefix is read in one way only. */
const REST = '(?!:443(/|$))(:[0-9]{1,5})?(/(?!\\.{1,2}(/|$))[A-Za-z0-9._~+-]+)*/?';

/** The beginning of a repository's address, for `isUnderSource` of host/trust/provenance.ts. */
export const SourcePrefix = Type.String({ pattern: `^https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?${REST}$`, maxLength: 300, description: 'an https address in lower case as far as its host, without user, query, dots as folders or the port 443, as https://github.com/acme' });
export type SourcePrefix = Static<typeof SourcePrefix>;

const PluginPattern = Type.String({ pattern: `^${SEGMENT}(\\.${SEGMENT}){0,3}\\.?$`, maxLength: 129, description: 'a plugin id, or the beginning of ids with its dot, as acme.' });

/** Whoever any entry names. */
const trustList = (description: string) =>
  closed(
    {
      plugins: Type.Optional(Type.Array(PluginPattern, { maxItems: 1000, default: [] })),
      publishers: Type.Optional(Type.Array(Publisher, { maxItems: 1000, default: [] })),
      sources: Type.Optional(Type.Array(SourcePrefix, { maxItems: 1000, default: [] })),
    },
    { default: {}, description },
  );
export type TrustList = Static<ReturnType<typeof trustList>>;

export const TrustPolicy = closed(
  {
    approvals: Type.Optional(whole(0, 16, { default: 0, description: 'Reviewers who must approve before anything runs; an enablement may only ask for more.' })),
    allow: Type.Optional(trustList('Once it names anybody, nobody else may run.')),
    deny: Type.Optional(trustList('Wins over `allow`.')),
    minimumReleaseAgeHours: Type.Optional(Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum: 0, maximum: 8760, default: null, description: 'How long a release must be known here before it runs. Null: 48 in strict, else 0.' })),
    scan: Type.Optional(
      closed(
        {
          onWarn: Type.Optional(Type.Unsafe<'approval' | 'report'>({ ...oneOf('approval', 'report'), default: 'approval', description: 'What becomes of a plugin that the scanner warns of: it waits for an approval, or only is reported.' })),
          everyHours: Type.Optional(whole(0, 8760, { default: 24, description: 'How often a running host scans its plugins again; 0: never.' })),
          knownBad: Type.Optional(Type.Array(Digest, { maxItems: 1000, default: [], description: 'Digests of packages, or of files in them, that must never run.' })),
        },
        { default: {} },
      ),
    ),
    requireProvenance: Type.Optional(Type.Boolean({ default: false, description: 'Whether a release must say what it was made from.' })),
    requireHttpsSource: Type.Optional(Type.Boolean({ default: false, description: 'Whether the source it names must be an https address.' })),
    trustedSourcePrefixes: Type.Optional(Type.Array(SourcePrefix, { maxItems: 1000, default: [], description: 'Where that source must lie; any place, when empty.' })),
  },
  { default: {} },
);
export type TrustPolicy = Static<typeof TrustPolicy>;
