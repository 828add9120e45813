// Changes of sandboxes that take a moment: another version or other settings, and leaving. One at a time for each instance; reload.ts begins them, within its turn.
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Diagnostic } from '../../schemas/control.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { PluginLife } from '../plugin-life.ts';
import { specOf } from '../plugin-life.ts';
import { diagnosticOf } from '../registry/diagnostics.ts';
import { isAvailable, MOVES } from '../registry/lifecycle.ts';
import type { Because, Findings, Registry } from '../registry/registry.ts';
import type { ResolvedPlugin } from '../registry/resolve.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import { needsOf, type SandboxNeeds } from './plan.ts';

export interface ReplacingParts {
  readonly config: ResolvedConfig;
  readonly log: Log;
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly life: Pick<PluginLife, 'start'>;
  /** An instance is free again: what had to wait for it may be looked at. */
  readonly onFree: () => void;
}

/** Messages that met the instance before it left may still come to it: for as long as a stage takes. */
const LINGER_MS = 2000;
/** Calls under way may finish for so long. */
const GRACE_MS = 10_000;
/** A sandbox that has loaded must take its turn within this time. */
const ANSWER_MS = 2000;

interface Failure {
  readonly needs: SandboxNeeds;
  readonly diagnostic: Diagnostic;
}

export class Replacing implements Disposable {
  readonly #parts: ReplacingParts;
  readonly #busy = new Map<string, PromiseWithResolvers<void>>();
  /** What is about to take over. */
  readonly #coming = new Map<string, SandboxNeeds>();
  readonly #failed = new Map<string, Failure>();
  readonly #closing = new AbortController();

  constructor(parts: ReplacingParts) {
    this.#parts = parts;
  }

  isBusy(instance: string): boolean {
    return this.#busy.has(instance);
  }

  /** Resolves once what is under way for it, if anything, has ended. */
  async untilFree(instance: string): Promise<void> {
    await this.#busy.get(instance)?.promise;
  }

  /** What last failed its self test here, if nothing has been taken up since. */
  failureOf(instance: string): Failure | undefined {
    return this.#failed.get(instance);
  }

  /** The files ask for something else by now. */
  forgive(instance: string): void {
    this.#failed.delete(instance);
  }

  /** Goes by a look: what loads and may not take over by now, or is not what the files ask for any more, does not. Whatever else they ask for has its turn when the instance is free. */
  keepOnly(found: ReadonlyMap<string, Findings>): void {
    for (const [instance, needs] of this.#coming) {
      const wanted = found.get(instance)?.resolved;
      if (!wanted || !isDeepStrictEqual(needsOf(wanted), needs)) this.#parts.supervisor.abandonReplacement(instance);
    }
  }

  /**
   * A sandbox with what the files say, in the place of the one that runs. It loads and passes its self test first; then registry and traffic switch at one moment, and
   * the old one finishes its calls. Otherwise all stays as it was. Resolves with whether it switched; true also where nothing ran that could go on, and the new one starts.
   */
  async replace(findings: Findings, resolved: ResolvedPlugin): Promise<boolean> {
    const { registry, life, config, supervisor, log } = this.#parts;
    const { instance } = resolved;
    if (!isAvailable(registry.get(instance).state)) {
      registry.learn(findings);
      await life.start(registry.get(instance));
      return true;
    }
    this.#busy.set(instance, Promise.withResolvers());
    this.#coming.set(instance, needsOf(resolved));
    const switched = Promise.withResolvers<boolean>();
    const onSwitch = () => {
      registry.learn(findings);
      this.#failed.delete(instance);
      switched.resolve(true);
    };
    // The old one may need a while for its last calls; nobody waits for that.
    supervisor.replace(specOf(resolved, config), { graceMs: GRACE_MS, selfTest, onSwitch }).catch((error: unknown) => {
      if (!(error instanceof GatehouseError && error.code === 'INSTANCE_UNAVAILABLE')) this.#failed.set(instance, { needs: needsOf(resolved), diagnostic: rolledBack(resolved, error) });
      log.warn({ instance, version: resolved.release.manifest.version, err: problemOf(error) }, 'a new sandbox did not take over; the old one goes on');
      switched.resolve(false);
    });
    try {
      return await switched.promise;
    } finally {
      this.#coming.delete(instance);
      this.#free(instance);
    }
  }

  /** Out of every stage at once; its sandbox stays a moment for what was on its way to it. Then it is switched off as `disabled` says, or else forgotten: its enablement is gone. */
  async leave(instance: string, because: Because, disabled?: Findings): Promise<void> {
    const { registry, supervisor } = this.#parts;
    const last = disabled ? 'disabled' : 'stopped';
    const end = () => {
      const entry = registry.find(instance);
      if (entry && MOVES[entry.state].includes(last)) registry.move(instance, last, because);
      if (disabled) registry.learn(disabled);
      else if (entry) registry.forget(instance);
    };
    if (!MOVES[registry.get(instance).state].includes('draining')) {
      end();
      return await supervisor.stop(instance);
    }
    this.#busy.set(instance, Promise.withResolvers());
    registry.move(instance, 'draining', because);
    try {
      await sleep(LINGER_MS, undefined, { signal: this.#closing.signal }).catch(() => undefined); // the host stops: then at once
      await supervisor.stop(instance, this.#closing.signal.aborted ? 0 : GRACE_MS, { farewell: true });
      await registry.inTurn(async () => end());
    } finally {
      this.#free(instance);
    }
  }

  /** What leaves leaves at once. */
  [Symbol.dispose](): void {
    this.#closing.abort();
  }

  #free(instance: string): void {
    const done = this.#busy.get(instance);
    this.#busy.delete(instance);
    done?.resolve();
    this.#parts.onFree();
  }
}

/** It has loaded and has the handlers of its kind, or it would not be here; now it must take a turn. */
async function selfTest(fresh: Sandbox): Promise<void> {
  if (await fresh.answers(ANSWER_MS)) return;
  throw new GatehouseError('CALL_TIMEOUT', { handler: 'self test', instance: 'the new sandbox', limitMs: ANSWER_MS });
}

function rolledBack({ instance, manifestFile, release: { manifest: { id, version } } }: ResolvedPlugin, thrown: unknown): Diagnostic {
  const error = new GatehouseError('UPGRADE_ROLLED_BACK', { instance, plugin: id, version, problem: problemOf(thrown) });
  return diagnosticOf(error, { severity: 'degraded', stage: 'reload', rule: 'self-test', manifest: manifestFile, plugin: id, instance });
}
