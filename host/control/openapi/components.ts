// Schemas that have a name: each stands once under components/schemas, and everywhere else is a reference to it. document.ts makes one set of them for each document.
import { IsSchema, type TSchema } from 'typebox';
import * as approval from '../../../schemas/approval.ts';
import * as audit from '../../../schemas/audit.ts';
import * as backup from '../../../schemas/backup.ts';
import * as capability from '../../../schemas/capability.ts';
import * as configView from '../../../schemas/config-view.ts';
import * as control from '../../../schemas/control.ts';
import * as costs from '../../../schemas/costs.ts';
import * as discovery from '../../../schemas/discovery.ts';
import * as event from '../../../schemas/event.ts';
import * as hostConfig from '../../../schemas/host-config.ts';
import * as ids from '../../../schemas/ids.ts';
import * as media from '../../../schemas/media.ts';
import * as message from '../../../schemas/message.ts';
import * as pluginManifest from '../../../schemas/plugin-manifest.ts';
import * as network from '../../../schemas/network.ts';
import * as packages from '../../../schemas/package.ts';
import * as pairing from '../../../schemas/pairing.ts';
import * as policy from '../../../schemas/policy.ts';
import * as quarantine from '../../../schemas/quarantine.ts';
import * as rebuild from '../../../schemas/rebuild.ts';
import * as release from '../../../schemas/release.ts';
import * as revocation from '../../../schemas/revocation.ts';
import * as scan from '../../../schemas/scan.ts';
import * as status from '../../../schemas/status.ts';
import * as token from '../../../schemas/token.ts';

/** Where names come from; of two exports with the same shape the first gives the name. */
const SOURCES: readonly object[] = [ids, control, status, message, token, backup, configView, approval, revocation, scan, packages, quarantine, pairing, audit, costs, network, discovery, event, capability, media, policy, pluginManifest, rebuild, release, hostConfig];

export type JsonSchema = Readonly<Record<string, unknown>>;

export interface Components {
  /** The schema as the document carries it: what has a name is referred to. */
  refer(schema: TSchema): JsonSchema;
  /** Everything referred to so far, by name. */
  schemas(): Readonly<Record<string, JsonSchema>>;
}

export function createComponents(): Components {
  const used = new Map<string, JsonSchema>();

  function refer(schema: unknown): JsonSchema {
    const { description, ...shape } = recordOf(schema);
    const known = NAMED.get(JSON.stringify(shape));
    if (known === undefined) return inside(recordOf(schema));
    if (!used.has(known.name)) {
      used.set(known.name, {}); // so that it is referred to once, whatever it holds
      used.set(known.name, inside(known.schema));
    }
    return { $ref: `#/components/schemas/${known.name}`, ...(description === undefined || description === known.schema['description'] ? {} : { description }) };
  }

  /** The same schema with its parts referred to. */
  const inside = (schema: JsonSchema): JsonSchema => Object.fromEntries(Object.entries(schema).map(([keyword, value]) => part(keyword, value)));

  function part(keyword: string, value: unknown): [string, unknown] {
    if (keyword === 'properties') return [keyword, Object.fromEntries(Object.entries(recordOf(value)).map(([name, each]) => [name, refer(each)]))];
    // TypeBox writes "any key" as a pattern; generators of clients know the keyword that says so.
    if (keyword === 'patternProperties') return ['additionalProperties', refer(Object.values(recordOf(value))[0])];
    if (['anyOf', 'allOf', 'oneOf', 'prefixItems'].includes(keyword) && Array.isArray(value)) return [keyword, value.map(refer)];
    if (['items', 'additionalProperties', 'propertyNames', 'not', 'contentSchema'].includes(keyword) && typeof value === 'object') return [keyword, refer(value)];
    return [keyword, value];
  }

  return { refer, schemas: () => Object.fromEntries([...used].toSorted(([a], [b]) => (a < b ? -1 : 1))) };
}

const recordOf = (value: unknown): JsonSchema => ({ ...Object(value) });

/** A bound on a text says nothing of what it is; a grammar, words to choose from or members do. */
const isTelling = ({ type, pattern, enum: words }: JsonSchema) => type === 'object' || type === undefined || (type === 'string' && (pattern ?? words) !== undefined);

/** By what it looks like: TypeBox copies a schema that becomes optional. A description does not count, as many give their own. */
const NAMED: ReadonlyMap<string, { readonly name: string; readonly schema: JsonSchema }> = new Map(
  SOURCES.flatMap((source) => Object.entries(source))
    .filter(([name, value]) => /^[A-Z]/.test(name) && IsSchema(value) && isTelling(recordOf(value)))
    .map(([name, value]) => {
      const schema = recordOf(value);
      const { description: _, ...shape } = schema;
      return [JSON.stringify(shape), { name, schema }] as const;
    })
    .toReversed(),
);
