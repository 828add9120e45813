// What the files say and is not taken up, by the last look: shown with each instance, logged once, and a reason to call it impaired. Kept by reload.ts.
import type { Diagnostic } from '../../schemas/control.ts';
import { GatehouseError } from '../errors.ts';
import type { Log } from '../log.ts';
import { diagnosticOf } from '../registry/diagnostics.ts';
import type { Instance, Registry } from '../registry/registry.ts';
import { isWider, powerChangesInWords } from '../trust/powers/powers.ts';
import { isRollback, type Change } from './plan.ts';

type Hold = Extract<Change, { kind: 'hold' }>;

/** Of a diagnostic's message; the rest of a long list of changes is in the files. */
const MOST_CHARACTERS = 3000;

export class Trouble {
  readonly #registry: Registry;
  readonly #log: Log;
  #diagnostics: readonly Diagnostic[] = [];
  /** Why an instance was called impaired from here. */
  readonly #told = new WeakMap<Instance, string>();

  constructor(registry: Registry, log: Log) {
    this.#registry = registry;
    this.#log = log;
  }

  get diagnostics(): readonly Diagnostic[] {
    return this.#diagnostics;
  }

  /** Those of an instance, and those of its file. */
  of({ instance, findings }: Instance): Diagnostic[] {
    return this.#diagnostics.filter((each) => each.instance === instance || (each.instance === undefined && each.manifest === findings.file));
  }

  /** Replaces what was known; what is new is logged, and states follow. */
  learn(diagnostics: readonly Diagnostic[]): void {
    const known = new Set(this.#diagnostics.map(textOf));
    this.#diagnostics = diagnostics;
    for (const each of diagnostics) {
      const { code, severity, instance, manifest, message } = each;
      if (severity !== 'warning' && !known.has(textOf(each))) this.#log.warn({ code, instance, manifest, problem: message }, 'the files of the home say something that is not taken up');
    }
    this.settleStates();
  }

  /** `impaired` for whoever runs otherwise than its files say, and back. A sandbox that starts anew brings its instance to `active`; then this is asked again. */
  settleStates(): void {
    for (const entry of this.#registry.list()) {
      const { instance } = entry;
      const trouble = this.of(entry).find(({ severity }) => severity !== 'warning');
      const told = this.#told.get(entry);
      if (entry.state === 'impaired' && told !== undefined && told !== trouble?.message) {
        this.#registry.move(instance, 'active', { actor: 'host', reason: trouble ? 'its files say something else' : 'it runs as its files say' });
      }
      if (entry.state !== 'impaired') this.#told.delete(entry);
      if (entry.state !== 'active' || !trouble) continue;
      this.#told.set(entry, trouble.message);
      this.#registry.move(instance, 'impaired', { actor: 'host', reason: trouble.message, code: trouble.code });
    }
  }
}

const textOf = ({ code, instance, manifest, message }: Diagnostic) => `${code} ${instance} ${manifest} ${message}`;

/** What waits for somebody to agree: the gravest of it gives the code, and all of it is told, since all of it is agreed to at once. */
export function held({ instance, plugin, findings: { file } }: Instance, hold: Hold): Diagnostic {
  const { powers, from, to } = hold;
  const wider = isWider(powers) ? powerChangesInWords(powers).join('; ').slice(0, MOST_CHARACTERS) : undefined;
  const changes = wider === undefined ? '' : `, and it would be given more: ${wider}`;
  const older = isRollback(hold) ? `, and is older than ${from.version}, which runs` : '';
  const place = { severity: 'degraded', stage: 'reload', manifest: file, plugin, instance } as const;
  if (from.keyid !== to.keyid) return diagnosticOf(new GatehouseError('SIGNER_CHANGED', { instance, plugin, version: to.version, before: from.keyid, after: to.keyid, changes: `${older}${changes}, so that it goes on as it was` }), { ...place, rule: 'signer' });
  if (isRollback(hold)) return diagnosticOf(new GatehouseError('ROLLBACK_HELD', { instance, running: from.version, version: to.version, changes }), { ...place, rule: 'rollback' });
  return diagnosticOf(new GatehouseError('GRANTS_WIDENED', { instance, changes: wider ?? '' }), { ...place, rule: 'grants' });
}

/** The same finding, told of an instance that does not mind. */
export function goesOn(diagnostic: Diagnostic): Diagnostic {
  return { ...diagnostic, message: `${diagnostic.message} What ran before goes on.`.slice(0, 4000) };
}
