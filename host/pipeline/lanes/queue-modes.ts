// What holds for the lane of a session: the mode an operator gave it, else what the policy of the place says. Asked before each run; the operator's word is kept in the store.
import type { PipelineSettings } from '../../../schemas/host-config.ts';
import type { QueueMode, QueuePolicy } from '../../../schemas/policy.ts';
import { GatehouseError } from '../../errors.ts';
import { put, scan, type Store } from '../../store/store.ts';
import { queueModes, type MessageRow } from '../../store/tables.ts';
import type { PluginDirectory } from '../plugin-directory.ts';
import { policyOf, type ChannelPolicy } from '../policy.ts';

/** Sessions with a mode of their own; each is asked for by a person. */
const MOST = 10_000;

export interface QueueModesParts {
  readonly store: Store;
  readonly directory: Pick<PluginDirectory, 'channel'>;
  readonly settings: PipelineSettings;
}

export class QueueModes {
  readonly #store: Store;
  readonly #directory: Pick<PluginDirectory, 'channel'>;
  /** For messages whose channel is gone. */
  readonly #orphaned: ChannelPolicy;
  readonly #given = new Map<string, QueueMode>();

  constructor({ store, directory, settings }: QueueModesParts) {
    this.#store = store;
    this.#directory = directory;
    this.#orphaned = { defaults: settings };
  }

  /** Before the first run. */
  async load(): Promise<void> {
    for await (const rows of scan(this.#store, queueModes, queueModes.prefix())) for (const { key, value } of rows) this.#given.set(String(key[1]), value.mode);
  }

  /** Of the place where a message was said; without one, that of the host. */
  policyFor(said: Pick<MessageRow, 'instance' | 'conversation'> | undefined): Required<QueuePolicy> {
    return policyOf((said && this.#directory.channel(said.instance)?.policy) ?? this.#orphaned, said?.conversation ?? '').queue;
  }

  /** `policy`: the mode of the place it was said in. */
  of(sessionKey: string, policy: QueueMode): QueueMode {
    return (this.#given.size > 0 ? this.#given.get(sessionKey) : undefined) ?? policy;
  }

  /** Undefined where nobody gave the session one. */
  given(sessionKey: string): QueueMode | undefined {
    return this.#given.get(sessionKey);
  }

  /** From the next run on, and after every restart; null takes it back. Durable when it resolves. */
  async set(sessionKey: string, mode: QueueMode | null): Promise<void> {
    const key = queueModes.key(sessionKey);
    if (mode === null) {
      await this.#store.commit({ remove: [{ table: queueModes, key }] });
      this.#given.delete(sessionKey);
      return;
    }
    if (this.#given.size >= MOST && !this.#given.has(sessionKey)) throw new GatehouseError('REQUEST_INVALID', { path: '/session', problem: `${MOST} sessions have a mode of their own already` });
    await this.#store.commit({ put: [put(queueModes, key, { mode })] });
    this.#given.set(sessionKey, mode);
  }
}
