// What operators do through the API, in the transparency log: before it is done, and how it ended. api.ts and server.ts ask; no route has to.
import { hash } from 'node:crypto';
import { GatehouseError, problemOf } from '../errors.ts';
import { SenderRates } from '../broker/quota.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { masked } from '../log-redaction.ts';
import type { AuditDraft, AuditLog } from '../trust/log/audit-log.ts';

/** One call that would change something. Neither its body nor its query is told: they may hold what nobody else is to read. */
export interface Mutation {
  /** `token:<id>` */
  readonly actor: string;
  readonly method: string;
  /** Below /api/v1, with `:name` for parameters. */
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
}

export interface MutationRecord {
  /**
   * Writes `begun`, does it, writes how it ended. What cannot be written beforehand is not done: throws what the log throws. An end that cannot be written leaves a
   * `begun` without one, which is what a crash in the middle leaves too; whoever asked hears what became of the action all the same.
   */
  carryOut<T>(mutation: Mutation, action: () => T | Promise<T>): Promise<T>;
  /** It was refused before it could begin: the token may not do this. Never throws. */
  refused(mutation: Mutation, error: unknown): Promise<void>;
}

/** Refusals of one token that are told; a token that may not do what it asks for must not be able to fill the disk by asking. */
const REFUSALS_PER_SECOND = 1;
const REFUSALS_AT_ONCE = 60;

export function mutationRecord(audit: Pick<AuditLog, 'append'>, clock: Clock, log: Log): MutationRecord {
  const refusals = new SenderRates(clock, 1000);
  const unwritten = (error: unknown) => log.error({ err: problemOf(error) }, 'the end of an action could not be written to the audit log');
  return {
    async carryOut(mutation, action) {
      const what = { actor: mutation.actor, action: actionOf(mutation), resource: resourceOf(mutation) };
      const { index } = await audit.append({ ...what, outcome: 'begun' });
      const end = (outcome: 'done' | 'refused' | 'failed', detail: AuditDraft['detail'] = {}) => audit.append({ ...what, outcome, detail: { begun: index, ...detail } }).catch(unwritten);
      try {
        const answer = await action();
        await end('done', { id: idOf(answer) });
        return answer;
      } catch (error) {
        await end(outcomeOf(error), { code: codeOf(error) });
        throw error;
      }
    },
    async refused(mutation, error) {
      if (!refusals.take(mutation.actor, REFUSALS_PER_SECOND, REFUSALS_AT_ONCE)) return;
      await audit.append({ actor: mutation.actor, action: actionOf(mutation), resource: resourceOf(mutation), outcome: 'refused', detail: { code: codeOf(error) } }).catch(unwritten);
    },
  };
}

/** `POST /plugins/:instance/disable` → `api.plugins.disable`, `DELETE /dead-letters/:id` → `api.dead-letters.delete`. */
function actionOf({ method, path }: Pick<Mutation, 'method' | 'path'>): string {
  const words = path.split('/').filter((part) => part !== '' && !part.startsWith(':'));
  return ['api', ...words, ...(method === 'POST' ? [] : [method.toLowerCase()])].join('.');
}

/** The path as it was called, without credentials that somebody put there: this log forgets nothing. A session's key names a person or is a secret of theirs (webchat), so it is told as the log tells it: by its hash. So is a pairing code, unlike the id that may stand in its place, and what begins like a secret of ours and was mistyped. */
function resourceOf({ path, params }: Pick<Mutation, 'path' | 'params'>): string {
  return path.replaceAll(/:(\w+)/g, (_, name: string) => {
    const value = params[name] ?? '';
    const shown = masked(value);
    const isSecret = name === 'key' || (name === 'code' && !/^[0-9a-f]{32}$/.test(value)) || (shown === value && /gh[ti]_/.test(value));
    return isSecret ? hash('sha256', value).slice(0, 16) : encodeURIComponent(shown);
  });
}

/** Which thing was made or changed, where the answer says so: of a new token its id, never its secret. */
function idOf(answer: unknown): string | undefined {
  const id: unknown = answer instanceof Object && 'id' in answer ? answer.id : undefined;
  return typeof id === 'string' && id.length <= 200 ? id : undefined;
}

const codeOf = (error: unknown) => (error instanceof GatehouseError ? error.code : 'INTERNAL');
const outcomeOf = (error: unknown) => (error instanceof GatehouseError && error.row.httpStatus < 500 ? 'refused' : 'failed');
