// The composition root: builds the parts in order, holds them on one stack, and shows control plane and tests one face.
import type { DeadLetterView, DegradedPlugin, Diagnostic, MessageView, PluginView, SendMessageBody } from '../schemas/control.ts';
import type { ChannelSection } from '../schemas/plugin-manifest.ts';
import type { Clock } from './clock.ts';
import type { ResolvedConfig } from './config.ts';
import type { Log } from './log.ts';
import type { IngressAnswer, IngressRequest, SocketPeer, SocketSession } from './pipeline/ingress.ts';
import type { Store } from './store/store.ts';

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Pass back as `cursor` for the next page; null at the end. */
  readonly cursor: string | null;
}

export interface PageQuery {
  readonly cursor?: string;
  /** 1 to 200, default 50. */
  readonly limit?: number;
}

export interface MessageQuery extends PageQuery {
  readonly instance?: string;
  readonly conversation?: string;
  readonly outcome?: string;
  readonly direction?: 'inbound' | 'outbound';
}

export type { IngressAnswer, IngressRequest, SocketPeer, SocketSession };

/** What the control plane needs to know of one channel instance. */
export interface ChannelFace {
  readonly instance: string;
  readonly section: ChannelSection;
  /** Granted `ui`: its pages may use the host's origin. */
  readonly ui: boolean;
  asset(path: string): { readonly bytes: Buffer; readonly contentType: string } | undefined;
  /** Never rejects for anything the remote did: refusals are problem+json answers. */
  http(request: IngressRequest): Promise<IngressAnswer>;
  socket(peer: SocketPeer): Promise<SocketSession>;
}

export interface HostStatus {
  readonly version: string;
  readonly hostApi: string;
  readonly startedAt: string;
  readonly pid: number;
  readonly home: string;
  readonly profile: string;
  readonly strict: boolean;
  readonly ready: boolean;
  readonly confinement: string;
  readonly plugins: Record<string, number>;
  readonly degraded: readonly DegradedPlugin[];
  readonly lanes: { readonly waiting: number; readonly running: number };
  readonly deliveries: { readonly waiting: number; readonly running: number };
  readonly deadLetters: number;
}

/** A running host. Every method that names something unknown throws the typed `…_NOT_FOUND` error. */
export interface Host extends AsyncDisposable {
  readonly config: ResolvedConfig;
  readonly log: Log;
  readonly clock: Clock;
  readonly store: Store;
  readonly startedAt: number;
  /** Resolves once every enablement has settled or the boot deadline passed; throws the refusal as HostRefused when a required one is not active. */
  readonly booted: Promise<{ readonly active: readonly string[]; readonly degraded: readonly DegradedPlugin[] }>;
  readiness(): { readonly ready: boolean; readonly degraded: readonly DegradedPlugin[] };
  status(): Promise<HostStatus>;
  diagnostics(): readonly Diagnostic[];
  channel(instance: string): ChannelFace | undefined;
  readonly plugins: {
    list(): readonly PluginView[];
    show(instance: string): PluginView;
    enable(instance: string, actor: string): Promise<PluginView>;
    disable(instance: string, actor: string, reason: string): Promise<PluginView>;
    quarantine(instance: string, actor: string, reason: string): Promise<PluginView>;
    release(instance: string, actor: string, reason: string): Promise<PluginView>;
  };
  readonly messages: {
    list(query: MessageQuery): Promise<Page<MessageView>>;
    show(id: string): Promise<MessageView>;
    /** Writes an outbound message and waits (at most 10 s) for its outcome. */
    send(body: SendMessageBody, actor: string): Promise<{ readonly messageId: string; readonly outcome: string; readonly code?: string; readonly reason?: string }>;
  };
  readonly deadLetters: {
    list(query: PageQuery): Promise<Page<DeadLetterView>>;
    show(id: string): Promise<DeadLetterView & { readonly text?: string }>;
    replay(id: string, actor: string): Promise<{ readonly id: string; readonly messageId: string }>;
    drop(id: string, actor: string): Promise<{ readonly id: string }>;
  };
  /** Stops intake, lets work in flight finish or park in the store, stops plugins, closes the store. At most `graceMs` (default 10 s). */
  stop(reason: string, graceMs?: number): Promise<void>;
}

/** A start that policy refuses: exit code 3 and every diagnostic. */
export class HostRefused extends Error {
  readonly diagnostics: readonly Diagnostic[];
  constructor(diagnostics: readonly Diagnostic[]) {
    super(`The start is refused: ${diagnostics.filter((each) => each.severity === 'fatal').length} fatal finding(s).`);
    this.name = 'HostRefused';
    this.diagnostics = diagnostics;
  }
}
