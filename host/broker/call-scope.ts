// What one plugin call has written so far: reads see it, a failed call drops it, a finished one hands it to the commit of its stage.

/** A kv entry to be written, or null for a deletion. */
export type KvWrite = { readonly value: unknown; readonly sizeBytes: number } | null;

/** Opened before a call and closed after it; tools called from it write into scopes of their own that fold into it. */
export class CallScope {
  readonly callId: string;
  readonly depth: number;
  /** instance → key → write. */
  readonly writes = new Map<string, Map<string, KvWrite>>();
  /** Requests made so far, held against BOUNDS.hostCallsTotalPerCall. */
  requests = 0;
  #open = true;
  readonly #releases: (() => void)[] = [];

  constructor(callId: string, depth = 0) {
    this.callId = callId;
    this.depth = depth;
  }

  get open(): boolean {
    return this.#open;
  }

  get hasWrites(): boolean {
    return this.writes.size > 0;
  }

  read(instance: string, key: string): KvWrite | undefined {
    return this.writes.get(instance)?.get(key);
  }

  write(instance: string, key: string, value: KvWrite): void {
    let own = this.writes.get(instance);
    if (!own) this.writes.set(instance, (own = new Map()));
    own.set(key, value);
  }

  /** Runs when the scope is dropped or its writes are committed; gives back quota reservations. */
  onRelease(release: () => void): void {
    this.#releases.push(release);
  }

  /** Takes over what a finished nested call wrote. */
  absorb(nested: CallScope): void {
    for (const [instance, writes] of nested.writes) for (const [key, value] of writes) this.write(instance, key, value);
    this.onRelease(() => nested.release());
  }

  /** No request is served for this call any more. */
  close(): void {
    this.#open = false;
  }

  release(): void {
    this.#open = false;
    for (const release of this.#releases.splice(0)) release();
  }
}
