// Why a channel that serves is called impaired: it is not what its manifest says, or its health says no. channel-life.ts and health.ts raise and clear; the registry's states follow.
import type { Diagnostic } from '../../schemas/control.ts';
import type { GatehouseError } from '../errors.ts';
import { publish, subscribe } from '../events.ts';
import { diagnosticOf } from '../registry/diagnostics.ts';
import type { Registry } from '../registry/registry.ts';

/** One trouble of each kind may stand; the first is the one its state names. */
export type TroubleKind = 'abilities' | 'health';
const KINDS: readonly TroubleKind[] = ['abilities', 'health'];

export class ChannelTroubles implements Disposable {
  readonly #registry: Registry;
  readonly #standing = new Map<string, Map<TroubleKind, GatehouseError>>();
  readonly #unsubscribe: () => void;

  constructor(registry: Registry) {
    this.#registry = registry;
    // Others move an instance back to `active` for reasons of their own; what stands here still stands.
    this.#unsubscribe = subscribe('plugin.state', ({ instance, to }) => void (to === 'active' && this.#standing.has(instance) && queueMicrotask(() => this.#settle(instance))));
  }

  raise(instance: string, kind: TroubleKind, error: GatehouseError): void {
    let standing = this.#standing.get(instance);
    if (!standing) this.#standing.set(instance, (standing = new Map()));
    if (standing.get(kind)?.message === error.message) return;
    standing.set(kind, error);
    const found = this.#registry.find(instance);
    if (found) publish('plugin.degraded', { diagnostic: this.#diagnostic(instance, kind, error) });
    this.#settle(instance);
  }

  clear(instance: string, kind: TroubleKind): void {
    const standing = this.#standing.get(instance);
    const gone = standing?.get(kind);
    if (!standing || !gone) return;
    standing.delete(kind);
    if (standing.size === 0) this.#standing.delete(instance);
    const found = this.#registry.find(instance);
    if (found?.state === 'impaired' && found.code === gone.code) this.#registry.move(instance, 'active', { actor: 'host', reason: `over: ${gone.message}` });
  }

  /** For `gatehouse check` of a running host, and its log. */
  diagnostics(): Diagnostic[] {
    return [...this.#standing].flatMap(([instance, standing]) => (this.#registry.find(instance) ? [...standing].map(([kind, error]) => this.#diagnostic(instance, kind, error)) : []));
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
  }

  #settle(instance: string): void {
    const standing = this.#standing.get(instance);
    const worst = KINDS.map((kind) => standing?.get(kind)).find((each) => each !== undefined);
    if (!worst || this.#registry.find(instance)?.state !== 'active') return;
    this.#registry.move(instance, 'impaired', { actor: 'host', reason: worst.message, code: worst.code });
  }

  #diagnostic(instance: string, kind: TroubleKind, error: GatehouseError): Diagnostic {
    const { plugin, resolved } = this.#registry.get(instance);
    return diagnosticOf(error, { severity: 'degraded', stage: 'start', rule: kind, plugin, instance, ...(resolved ? { manifest: resolved.manifestFile } : {}) });
  }
}
