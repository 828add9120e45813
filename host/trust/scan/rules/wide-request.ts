// Requests that are wider than a plugin of its kind needs. Nothing here is wrong by itself; somebody should have looked at it.
import type { Capability } from '../../../../schemas/capability.ts';
import type { PluginManifest } from '../../../../schemas/plugin-manifest.ts';
import { MANIFEST_FILE } from '../../package-names.ts';
import { lineOf, quote, type ContentRule, type Sighting } from '../finding.ts';

/** Beyond these, a reviewer is asked. */
const USUAL = { origins: 8, fetchesPerMinute: 60_000, bytesPerDay: 10 * 1000 ** 3, kvBytes: 256 * 1024 ** 2, instances: 8, tools: 16, secrets: 8, heapMb: 256, cpuMsPerCall: 2000 } as const;

export const wideRequest: ContentRule = {
  name: 'wide-request',
  *look({ manifest, files }) {
    const text = Buffer.from(files.get(MANIFEST_FILE) ?? []).toString('utf8');
    for (const { word, ...request } of requests(manifest)) {
      yield { outcome: 'warn', file: MANIFEST_FILE, line: lineOf(text, `"${word}"`), fix: 'Ask for what the plugin needs and no more; or have a reviewer agree.', ...request };
    }
  },
};

type Request = Pick<Sighting, 'risk' | 'message'> & Partial<Pick<Sighting, 'outcome' | 'fix'>> & { readonly word: string };

function* requests(manifest: PluginManifest): Iterable<Request> {
  const { capabilities = [], limits = {} } = manifest;
  for (const capability of capabilities) yield* wideIn(capability, manifest);
  const secrets = capabilities.filter(({ name }) => name === 'secret.use').length;
  if (secrets > USUAL.secrets) yield { word: 'secret.use', risk: 'medium', message: `It asks for ${secrets} secrets; more than ${USUAL.secrets} are unusual.` };
  if ((limits.heapMb ?? 0) > USUAL.heapMb) yield { word: 'heapMb', risk: 'low', message: `It asks for ${limits.heapMb} MiB of memory; more than ${USUAL.heapMb} are unusual.` };
  if ((limits.cpuMsPerCall ?? 0) > USUAL.cpuMsPerCall) yield { word: 'cpuMsPerCall', risk: 'low', message: `It asks for ${limits.cpuMsPerCall} ms of processor time a call; more than ${USUAL.cpuMsPerCall} are unusual.` };
}

function* wideIn(capability: Capability, { config }: PluginManifest): Iterable<Request> {
  const word = capability.name;
  switch (capability.name) {
    case 'http.fetch': {
      const { origins, quota = {} } = capability;
      if (origins.length > USUAL.origins) yield { word, risk: 'medium', message: `It asks to reach ${origins.length} origins; more than ${USUAL.origins} are unusual.` };
      if ((quota.perMinute ?? 0) > USUAL.fetchesPerMinute) yield { word, risk: 'medium', message: `It asks for ${quota.perMinute} requests a minute; more than ${USUAL.fetchesPerMinute} are unusual.` };
      if ((quota.bytesPerDay ?? 0) > USUAL.bytesPerDay) yield { word, risk: 'medium', message: `It asks for ${(quota.bytesPerDay ?? 0) / 1000 ** 3} GB a day; more than ${USUAL.bytesPerDay / 1000 ** 3} are unusual.` };
      for (const origin of origins) if (typeof origin !== 'string') yield* openEnded(origin.config, config);
      return;
    }
    case 'secret.use':
      if (typeof capability.audience !== 'string') yield* openEnded(capability.audience.config, config);
      return;
    case 'kv':
      if (capability.quotaBytes > USUAL.kvBytes) yield { word, risk: 'low', message: `It asks for ${Math.round(capability.quotaBytes / 1024 ** 2)} MiB of storage; more than ${USUAL.kvBytes / 1024 ** 2} are unusual.` };
      return;
    case 'message.send':
      if (capability.instances.length > USUAL.instances) yield { word, risk: 'medium', message: `It asks to write through ${capability.instances.length} channels; more than ${USUAL.instances} are unusual.` };
      return;
    case 'tool.call':
      if (capability.tools.length > USUAL.tools) yield { word, risk: 'medium', message: `It asks to call ${capability.tools.length} tools; more than ${USUAL.tools} are unusual.` };
      return;
    case 'message.read':
    case 'ui':
      return;
    default:
      capability satisfies never;
  }
}

/** An origin that the operator fills in: the schema should say what may stand there, or a typing mistake is a grant. */
function* openEnded(pointer: string, config: PluginManifest['config']): Iterable<Request> {
  const schema = schemaAt(pointer, config);
  if (!schema || ['format', 'enum', 'const', '$ref', 'anyOf', 'oneOf', 'allOf'].some((key) => key in schema)) return;
  yield { word: 'config', outcome: 'note', risk: 'low', message: `The operator fills in the origin at config ${quote(pointer)}, and its schema takes any text.`, fix: 'Give the setting "format": "uri" in plugin.json, or an enum of the addresses that make sense.' };
}

function schemaAt(pointer: string, config: PluginManifest['config']): Readonly<Record<string, unknown>> | undefined {
  let schema: Readonly<Record<string, unknown>> | undefined = config;
  for (const key of pointer.split('/').slice(1)) {
    const properties: unknown = schema?.['properties'];
    if (typeof properties !== 'object' || properties === null || !Object.hasOwn(properties, key)) return undefined;
    schema = { ...Object(Object.getOwnPropertyDescriptor(properties, key)?.value) };
  }
  return schema;
}
