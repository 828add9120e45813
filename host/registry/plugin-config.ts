// An instance's config: the plugin's own schema with its defaults applied, and the origins that a manifest leaves to it. Called by resolve.ts.
import type { CapabilityOf, Grant } from '../../schemas/capability.ts';
import type { PluginManifest } from '../../schemas/plugin-manifest.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import { compilePluginSchema } from '../schema.ts';

type Config = Readonly<Record<string, unknown>>;

/** Throws PLUGIN_CONFIG_INVALID. A plugin without a config schema takes no config. */
export function resolvePluginConfig(instance: string, schema: PluginManifest['config'], given: Config): Config {
  const fail = (path: string, problem: string) => new GatehouseError('PLUGIN_CONFIG_INVALID', { instance, path, problem });
  if (!schema) {
    const [key] = Object.keys(given);
    if (key !== undefined) throw fail(`/${key}`, 'the plugin takes no config');
    return {};
  }
  const config = withDefaults(schema, given);
  const finding = compilePluginSchema(schema, { role: 'config', source: 'config' }).explain(config);
  if (finding) {
    const unknown = finding.key === undefined ? '' : ` '${finding.key}'${finding.nearest === undefined ? '' : `; did you mean '${finding.nearest}'?`}`;
    throw fail(finding.path, `${finding.problem}${unknown}`);
  }
  return isRecord(config) ? config : {};
}

/**
 * Grants with every `{ config }` replaced by the origin the operator filled in. Unset, that origin falls away, and a grant left without any is inert and
 * falls away too. Throws PLUGIN_CONFIG_INVALID when what stands there is no https origin, nor one that `egress.allow` makes an exception for.
 */
export function resolveGrant(instance: string, grant: Grant, config: Config, egress: ResolvedConfig['egress']): Grant | undefined {
  const resolved = (origin: CapabilityOf<'secret.use'>['audience']) => (typeof origin === 'string' ? origin : originAt(instance, origin.config, config, egress));
  switch (grant.name) {
    case 'http.fetch': {
      const origins = grant.origins.map(resolved).filter((origin) => origin !== undefined);
      return origins.length === 0 ? undefined : { ...grant, origins };
    }
    case 'secret.use': {
      const audience = resolved(grant.audience);
      return audience === undefined ? undefined : { ...grant, audience };
    }
    case 'kv':
    case 'message.send':
    case 'message.read':
    case 'tool.call':
    case 'ui':
      return grant;
    default:
      return grant satisfies never;
  }
}

function originAt(instance: string, pointer: string, config: Config, { allow }: ResolvedConfig['egress']): string | undefined {
  const value = valueAt(config, pointer);
  if (value === undefined) return undefined;
  const url = typeof value === 'string' ? URL.parse(value) : null;
  const excepted = url && allow.some(({ host, scheme, port }) => url.hostname === host && url.protocol === `${scheme}:` && portOf(url) === port);
  if (url && (url.protocol === 'https:' || excepted)) return url.origin;
  const exception = url?.protocol === 'http:' ? `; to allow it all the same, add ${JSON.stringify({ host: url.hostname, scheme: 'http', port: portOf(url) })} to egress.allow in manifests/host.json` : '';
  throw new GatehouseError('PLUGIN_CONFIG_INVALID', { instance, path: pointer, problem: `it is not an https address${exception}` });
}

function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
}

/** RFC 6901. */
function valueAt(document: unknown, pointer: string): unknown {
  let value = document;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    value = isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  }
  return value;
}

/** Defaults of `properties`, at every depth; what the value already has stays. */
function withDefaults(schema: unknown, value: unknown): unknown {
  if (!isRecord(schema)) return value;
  if (value === undefined) return structuredClone(schema['default']);
  const { properties } = schema;
  if (!isRecord(value) || !isRecord(properties)) return value;
  const filled: Record<string, unknown> = { ...value };
  for (const [key, child] of Object.entries(properties)) {
    const result = withDefaults(child, Object.hasOwn(value, key) ? value[key] : undefined);
    if (result !== undefined) filled[key] = result;
  }
  return filled;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
