// The only door from plugin code to the world: parse → find grant → authorize → charge quota and budget → perform → record. Refusals are typed errors in the plugin and events on the host.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { Grant } from '../../schemas/capability.ts';
import type { AnyOperation, Caller, Refusal } from '../capabilities/capability.ts';
import { GatehouseError, problemOf, type ErrorCode, type Fields } from '../errors.ts';
import { publish } from '../events.ts';
import type { Log } from '../log.ts';
import type { HostCall, HostReply } from '../sandbox/sandbox.ts';
import { instead, spanned } from '../tracing.ts';
import { CallScope, type CallScopeOptions } from './call-scope.ts';
import { NO_METER, type Meter } from './meter.ts';
import type { MinuteQuotas } from './quota.ts';

/** Replies that mean the plugin reached for more than it has; the others are failures of what it asked for. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set(['CAPABILITY_DENIED', 'CAPABILITY_UNKNOWN', 'CAPABILITY_ARGUMENT', 'QUOTA_EXCEEDED', 'BUDGET_EXCEEDED', 'KV_QUOTA', 'CALL_OVER', 'TOOL_DEPTH', 'EGRESS_DENIED', 'MESSAGE_TARGET', 'SEND_DENIED', 'MESSAGE_HOPS', 'MESSAGE_UNKEPT']);

export interface BrokerParts {
  readonly operations: readonly AnyOperation[];
  readonly quotas: MinuteQuotas;
  readonly log: Log;
  /** Default: nobody counts. */
  readonly meter?: Meter;
}

export class Broker {
  readonly #operations: ReadonlyMap<string, AnyOperation>;
  readonly #quotas: MinuteQuotas;
  readonly #log: Log;
  readonly #meter: Meter;
  readonly #scopes = new Map<string, CallScope>();

  constructor({ operations, quotas, log, meter = NO_METER }: BrokerParts) {
    this.#meter = meter;
    this.#operations = new Map(operations.map((each) => [each.op, each]));
    this.#quotas = quotas;
    this.#log = log;
  }

  /** Opens a scope; requests of `callId` are served until it is closed. */
  open(callId: string, options?: CallScopeOptions): CallScope {
    const scope = new CallScope(callId, options);
    this.#scopes.set(callId, scope);
    return scope;
  }

  /** No further request of this call is served; what it wrote stays in the scope. */
  close(scope: CallScope): void {
    scope.close();
    this.#scopes.delete(scope.callId);
  }

  /** Serves one request. Always settles with a value: plugin mistakes and refusals are replies, never exceptions. */
  async serve(caller: Caller, call: HostCall): Promise<HostReply> {
    return await this.inCall(call.callId, () => spanned(`host ${nameForEvent(call.op)}`, 'internal', () => ({ 'rpc.system': 'gatehouse', 'rpc.method': nameForEvent(call.op), 'gatehouse.instance': caller.instance }), () => this.#serve(caller, call), failedBy));
  }

  /** As a part of what this call is a part of; a call that is over is a part of nothing. */
  inCall<T>(callId: string | undefined, work: () => T): T {
    return instead(callId === undefined ? undefined : this.#scopes.get(callId)?.doing, work);
  }

  async #serve(caller: Caller, call: HostCall): Promise<HostReply> {
    try {
      return { ok: true, value: await this.#perform(caller, call) };
    } catch (error) {
      if (error instanceof GatehouseError) {
        if (REFUSALS.has(error.code)) publish('capability.denied', { instance: caller.instance, capability: error.fields['capability'] === 'secret.use' ? 'secret.use' : nameForEvent(call.op), code: error.code });
        return { ok: false, code: error.code, message: `${error.message} ${error.fix}`.slice(0, 500) };
      }
      this.#log.error({ instance: caller.instance, op: nameForEvent(call.op), err: problemOf(error) }, 'a capability failed inside the host');
      return { ok: false, code: 'INTERNAL', message: 'The host could not do this.' };
    }
  }

  async #perform(caller: Caller, call: HostCall): Promise<unknown> {
    const scope = this.#scopes.get(call.callId);
    if (!scope?.open) throw new GatehouseError('CALL_OVER');
    scope.requests += 1;
    if (scope.requests > BOUNDS.hostCallsTotalPerCall) throw refusal('QUOTA_EXCEEDED', { instance: caller.instance, capability: nameForEvent(call.op), quota: `${BOUNDS.hostCallsTotalPerCall} host calls in one call` });

    const found = this.#operations.get(call.op);
    if (!found) throw refusal('CAPABILITY_UNKNOWN', { capability: nameForEvent(call.op) });
    const grants = found.capability === null ? [] : caller.grants.filter((each) => each.name === found.capability);
    if (found.capability !== null && grants.length === 0) throw refusal('CAPABILITY_DENIED', { instance: caller.instance, capability: found.capability, value: '' });

    const wrong = found.request.explain(call.args);
    if (wrong) throw refusal('CAPABILITY_ARGUMENT', { capability: found.op, path: wrong.path || '/', problem: wrong.problem });

    const { grant, denied } = firstAllowing(found, call.args, grants);
    if (denied) throw refusal('CAPABILITY_DENIED', { instance: caller.instance, capability: found.capability ?? found.op, value: ` for '${denied.value.slice(0, 200)}'` });

    const perMinute = grant ? found.perMinute?.(grant) : undefined;
    if (perMinute !== undefined && !this.#quotas.take(`${caller.instance} ${found.capability}`, perMinute)) {
      throw refusal('QUOTA_EXCEEDED', { instance: caller.instance, capability: found.capability, quota: `${perMinute} a minute` });
    }
    this.#meter.hold(caller.instance, scope.subject, found.spends ? ['hostCalls', found.spends] : ['hostCalls']);
    scope.spend({ hostCalls: 1 });
    return await found.perform(call.args, caller, scope, grant);
  }
}

/** A capability may be granted more than once with different bounds; the first grant that allows the request carries its quota. */
function firstAllowing(operation: AnyOperation, args: unknown, grants: readonly Grant[]): { readonly grant?: Grant; readonly denied?: Refusal } {
  let denied: Refusal | undefined;
  for (const grant of grants) {
    denied = operation.authorize(args, grant);
    if (!denied) return { grant };
  }
  return denied ? { denied } : {};
}

const failedBy = (reply: HostReply) => (reply.ok ? undefined : reply.code);

const refusal = (code: ErrorCode, fields: Fields) => new GatehouseError(code, fields);

/** Operation names come from plugin code: bounded before they reach an event, a log or a message. */
const nameForEvent = (op: string) => (/^[a-z.]{1,40}$/.test(op) ? op : 'unknown');
