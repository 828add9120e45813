// The questions a package is asked, and the record of the answers. Filled by verify.ts, shown by `verify` and `inspect`.
import { GatehouseError, type ErrorCode, type Fields } from '../errors.ts';

/**
 * The checks, in order. Up to `identity` a failure ends the examination, for what follows could not be believed; the rest are rules, and all of them are reported.
 *
 * - `package` readable, bounded, only regular files with plain names · `envelope` a strict DSSE envelope · `trust` its key is in a trust record
 * - `signature-node`, `signature-tweetnacl` the signature over the exact payload, by two implementations
 * - `statement` the payload is a release statement · `files` the package holds exactly what it names · `manifest` plugin.json is right · `identity` statement and manifest agree
 * - `prefix` the key's publisher may sign this id · `key-valid` the key's window holds the release and now · `expiry` the release has not expired
 * - `revocation` neither key, digest nor version is revoked · `development` a development key is acceptable here · `hostApi` this host offers what it needs
 */
export const CHECKS = [
  'package', 'envelope', 'trust', 'signature-node', 'signature-tweetnacl', 'statement', 'files', 'manifest', 'identity', 'prefix', 'key-valid', 'expiry', 'revocation', 'development', 'hostApi',
] as const;
export type CheckName = (typeof CHECKS)[number];

/** `ok: null` was not checked: the detail says why. */
export interface Check {
  readonly name: CheckName;
  readonly ok: boolean | null;
  readonly detail: string;
  /** Of a failed check: its stable code, what would have passed, and what was there. */
  readonly code?: ErrorCode;
  readonly expected?: string;
  readonly found?: string;
}

export interface CheckList {
  /** The first refusal, by a check or a rule. */
  readonly failure: GatehouseError | undefined;
  /** Does the work of a check; a GatehouseError it throws fails the check and goes on to the caller. `detail` describes success. */
  run<T>(name: CheckName, work: () => T, detail: (result: T) => string): T;
  runAsync<T>(name: CheckName, work: () => Promise<T>, detail: (result: T) => string): Promise<T>;
  /** Records a rule; a broken one does not stop the others. */
  rule(name: CheckName, ok: boolean, detail: string, code: ErrorCode, fields: Fields): void;
  skip(names: readonly CheckName[], why: string): void;
  /** Every check in order; those never reached say so. */
  list(): readonly Check[];
}

/** An error that knows both values carries them as the fields `expected` and `found`. */
function valuesOf({ fields: { expected, found } }: GatehouseError): Pick<Check, 'expected' | 'found'> {
  return { ...(expected === undefined ? {} : { expected: String(expected) }), ...(found === undefined ? {} : { found: String(found) }) };
}

export function newCheckList(): CheckList {
  const done = new Map<CheckName, Check>();
  let failure: GatehouseError | undefined;
  const set = (name: CheckName, ok: boolean | null, detail: string) => void done.set(name, { name, ok, detail });
  const fail = (name: CheckName, error: GatehouseError) => {
    failure ??= error;
    done.set(name, { name, ok: false, detail: error.message, code: error.code, ...valuesOf(error) });
  };
  return {
    get failure() {
      return failure;
    },
    run(name, work, detail) {
      try {
        const result = work();
        set(name, true, detail(result));
        return result;
      } catch (thrown) {
        if (thrown instanceof GatehouseError) fail(name, thrown);
        throw thrown;
      }
    },
    async runAsync(name, work, detail) {
      try {
        const result = await work();
        set(name, true, detail(result));
        return result;
      } catch (thrown) {
        if (thrown instanceof GatehouseError) fail(name, thrown);
        throw thrown;
      }
    },
    rule(name, ok, detail, code, fields) {
      if (ok) set(name, true, detail);
      else fail(name, new GatehouseError(code, fields));
    },
    skip(names, why) {
      for (const name of names) set(name, null, why);
    },
    list: () => CHECKS.map((name) => done.get(name) ?? { name, ok: null, detail: 'not checked, because an earlier check failed' }),
  };
}
