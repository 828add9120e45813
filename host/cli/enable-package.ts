// Turns a package into an enablement: what it asks for, what it is given, what it still needs. Called by `init` and `plugins enable`.
import type { Grant } from '../../schemas/capability.ts';
import type { Enablement, SecretReference } from '../../schemas/enablement.ts';
import type { PluginManifest } from '../../schemas/plugin-manifest.ts';
import { describeCapability } from '../trust/powers/describe-capability.ts';
import { describeSender, describeVerification } from '../trust/powers/describe-ingress.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import { grantsOf } from '../trust/powers/grant-changes.ts';
import { commonGrants } from '../trust/powers/grants.ts';
import { ingressHandles } from '../registry/ingress-key.ts';
import { resolveGrant, resolvePluginConfig } from '../registry/plugin-config.ts';
import type { VerifiedRelease } from '../trust/verify.ts';

export interface Choices {
  readonly instance?: string | undefined;
  readonly required?: boolean | undefined;
  readonly grants?: 'requested' | 'none' | undefined;
  readonly config?: Record<string, unknown> | undefined;
  readonly secrets?: Readonly<Record<string, SecretReference>> | undefined;
  readonly order?: number | undefined;
}

export interface Enabling {
  readonly release: VerifiedRelease;
  readonly choices: Choices;
  /** What the operator wrote before, when a package is enabled again. */
  readonly earlier?: Enablement | undefined;
  readonly egress: ResolvedConfig['egress'];
}

/** Where a home keeps a package, relative to it. */
export const packageFolder = ({ id, version }: Pick<PluginManifest, 'id' | 'version'>): string => `plugins/${id}-${version}`;

/**
 * The enablement these choices make, on top of the file there was: an upgrade keeps what the operator set and was not asked again, but for grants that the
 * package no longer asks for. Throws SECRET_MISSING and
 * PLUGIN_CONFIG_INVALID, so that a file that cannot start is never written.
 */
export function enablementFor({ release: { manifest, packageDigest }, choices, earlier, egress }: Enabling): Enablement & { readonly instance: string } {
  const asked = grantsOf(manifest.capabilities ?? []);
  const grants = choices.grants === undefined && earlier ? commonGrants(earlier.grants ?? [], asked) : choices.grants === 'none' ? [] : asked;
  const config = choices.config ?? earlier?.config;
  const secrets = { ...earlier?.secrets, ...choices.secrets };
  const instance = choices.instance ?? earlier?.instance ?? defaultInstance(manifest.id);
  const settings = resolvePluginConfig(instance, manifest.config, config ?? {});
  for (const handle of neededSecrets(manifest, grants.map((grant) => resolveGrant(instance, grant, settings, egress)))) {
    if (!Object.hasOwn(secrets, handle)) throw new GatehouseError('SECRET_MISSING', { instance, handle, problem: `no --secret ${handle}=env:NAME or ${handle}=file:PATH says where it is` });
  }
  const { enabled: _on, ...kept } = earlier ?? {};
  return {
    ...kept,
    plugin: manifest.id,
    version: manifest.version,
    instance,
    source: packageFolder(manifest),
    digest: packageDigest,
    ...(choices.required ?? earlier?.required ? { required: true } : {}),
    ...(choices.order === undefined ? {} : { order: choices.order }),
    grants,
    ...(config === undefined ? {} : { config }),
    ...(Object.keys(secrets).length === 0 ? {} : { secrets }),
  };
}

/** What a person should know before agreeing, a sentence a line. */
export function requestInWords(manifest: PluginManifest): string[] {
  const { channel, capabilities = [] } = manifest;
  return [
    ...capabilities.map((capability) => `may ${describeCapability(capability)}${capability.reason === undefined ? '' : ` — “${capability.reason}”`}`),
    ...(channel?.ingress ?? []).map(({ method, path, verify, sender }) => `takes ${method} ${path}${verify.scheme === 'none' ? ' from anyone: senders are not verified by the host' : `, ${describeVerification(verify)}${describeSender(verify, sender)}`}`),
    ...(channel?.socket ? [`takes WebSockets at ${channel.socket.path}${channel.socket.origin === 'any' ? ', from pages of any site' : ''}`] : []),
  ];
}

/** The last segment of the plugin's id. */
export const defaultInstance = (plugin: string): string => plugin.slice(plugin.lastIndexOf('.') + 1);

/** Handles the host itself uses, and those of grants that are more than inert with this config. */
function neededSecrets({ channel }: PluginManifest, grants: readonly (Grant | undefined)[]): ReadonlySet<string> {
  const granted = grants.flatMap((grant) => (grant?.name === 'secret.use' ? [grant.handle] : []));
  return new Set([...ingressHandles(channel), ...granted]);
}
