// Who is who, read anew while the host runs: the one setting of host.json that needs no restart. reload.ts looks with every look at the home.
import { isDeepStrictEqual } from 'node:util';
import type { Diagnostic } from '../../schemas/control.ts';
import type { IdentityLinks } from '../../schemas/host-config.ts';
import { hostConfigPath, identitiesOf } from '../config.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Identities } from '../pipeline/sessions/identities.ts';
import { diagnosticOf } from '../registry/diagnostics.ts';
import { readRegularFile } from '../trust/regular-file.ts';

export interface IdentityFileParts {
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
  /** What the host started with. */
  readonly links: IdentityLinks;
  readonly identities: Pick<Identities, 'learn'>;
}

export class IdentityFile {
  readonly #parts: IdentityFileParts;
  #links: IdentityLinks;

  constructor(parts: IdentityFileParts) {
    this.#parts = parts;
    this.#links = parts.links;
  }

  /** Takes up what changed. What cannot be read changes nothing and is returned; never rejects. */
  async look(): Promise<Diagnostic | undefined> {
    const { home, env, log, identities } = this.#parts;
    try {
      const links = identitiesOf(await readRegularFile(hostConfigPath(home)), { home, env });
      if (isDeepStrictEqual(links, this.#links)) return undefined;
      this.#links = links;
      identities.learn(links);
      log.info({ identities: Object.keys(links).length }, 'who is who has changed, and holds from the next message on');
      return undefined;
    } catch (thrown) {
      const source = hostConfigPath(home);
      const error = thrown instanceof GatehouseError ? thrown : new GatehouseError('SCHEMA_INVALID', { source, path: '/', line: 1, column: 1, problem: problemOf(thrown) }, { cause: thrown });
      return diagnosticOf(error, { severity: 'degraded', stage: 'reload', rule: 'identities' });
    }
  }
}
