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

/** What each check asks, what its failure means, and the file of the package that the answer is about. For reports; `files` names its own. */
export const CHECK_FACTS: Readonly<Record<CheckName, { readonly title: string; readonly help: string; readonly file: string | null }>> = {
  package: { title: 'The package can be read', help: 'A folder or .tgz within the bounds, of regular files whose names mean one file on every system. What cannot be read whole cannot be judged: obtain it again, or build it again.', file: null },
  envelope: { title: 'The signature envelope is strict DSSE', help: 'Exactly one signature, of the right payload type, in standard base64, with nothing added. Sign the package again.', file: 'plugin.dsse.json' },
  trust: { title: 'The signing key is in a trust record', help: 'The operator trusts nobody who signed this. Compare the key id with its publisher by another way before adding a record.', file: 'plugin.dsse.json' },
  'signature-node': { title: 'The signature holds for node:crypto', help: 'The payload is not what this key signed. Somebody changed the release, or signed it with another key: do not use the package.', file: 'plugin.dsse.json' },
  'signature-tweetnacl': { title: 'The signature holds for tweetnacl', help: 'The second implementation of Ed25519 does not agree. Do not use the package.', file: 'plugin.dsse.json' },
  statement: { title: 'The payload is a release statement', help: 'What is signed is not an in-toto statement about a plugin release, in its one form. A signature over something else proves nothing about this package.', file: 'plugin.dsse.json' },
  files: { title: 'The package holds exactly the signed files', help: 'A file was changed, added or taken away after signing. Obtain the package again.', file: null },
  manifest: { title: 'plugin.json is right', help: 'The manifest breaks its schema or a rule that no schema can say. The author must correct it and sign again.', file: 'plugin.json' },
  identity: { title: 'Release and manifest name one plugin', help: 'The signed statement speaks of another plugin, version or publisher than plugin.json.', file: 'plugin.json' },
  prefix: { title: 'The publisher may sign this id', help: 'A publisher signs only ids under the prefixes of its trust record. The key signed a plugin of somebody else.', file: 'plugin.dsse.json' },
  'key-valid': { title: 'The key is within its window', help: 'The window of the key must hold the day of issue and today. Obtain a release that is signed with a valid key.', file: 'plugin.dsse.json' },
  expiry: { title: 'The release has not expired', help: 'The publisher vouched for it until a time that has passed. Obtain a newer release.', file: 'plugin.dsse.json' },
  revocation: { title: 'Nothing of it is revoked', help: 'The operator revoked the key, this package or this version. Move to a release that is not revoked.', file: 'plugin.dsse.json' },
  development: { title: 'A development key is acceptable here', help: 'Development keys count in profile local without strict only. Use a release that is signed with a publisher key.', file: 'plugin.dsse.json' },
  hostApi: { title: 'This host offers the plugin API it needs', help: 'Use a version of the plugin, or of Gatehouse, that fits.', file: 'plugin.json' },
};

/** `ok: null` was not checked: the detail says why. */
export interface Check {
  readonly name: CheckName;
  readonly ok: boolean | null;
  readonly detail: string;
  /** Of a failed check: its stable code, what would have passed, and what was there. */
  readonly code?: ErrorCode;
  readonly expected?: string;
  readonly found?: string;
  /** Which file of the package, where it is about one. */
  readonly file?: string;
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

/** An error that knows them carries both values as the fields `expected` and `found`, and the file as `file`. */
function valuesOf({ fields: { expected, found, file } }: GatehouseError): Pick<Check, 'expected' | 'found' | 'file'> {
  return { ...(expected === undefined ? {} : { expected: String(expected) }), ...(found === undefined ? {} : { found: String(found) }), ...(file === undefined ? {} : { file: String(file) }) };
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
