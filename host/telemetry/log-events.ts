// The events an operator wants to read about, as log lines. Made by main.ts.
import { systemClock, type Clock } from '../clock.ts';
import { subscribe } from '../events.ts';
import type { Log } from '../log.ts';
import { LogLimit } from '../sandbox/log-limit.ts';

/** Plugin lines carry the tag `plugin log`: they are foreign text, capped by the sandbox, and never say anything in the host's name. */
export function logEvents(log: Log, clock: Clock = systemClock): Disposable {
  const refusals = new Map<string, LogLimit>();
  /** A refusal costs a plugin nothing; its line costs the operator disk. As many a second as it may have lines of its own. */
  const refused = (fields: { readonly instance: string }, text: string) => {
    let limit = refusals.get(fields.instance);
    if (!limit) refusals.set(fields.instance, (limit = new LogLimit()));
    const dropped = limit.pass(clock.monotonicMs(), 0);
    if (dropped !== undefined) log.warn({ ...fields, ...(dropped > 0 ? { dropped } : {}) }, text);
  };
  const stop = [
    subscribe('plugin.state', ({ instance, plugin, from, to, actor, reason, code }) => {
      const fields = { instance, plugin, from, to, actor, reason, ...(code === undefined ? {} : { code }) };
      if (to === 'quarantined' || to === 'revoked' || to === 'rejected') log.error(fields, 'plugin stopped');
      else if (to === 'impaired' || to === 'backoff') log.warn(fields, 'plugin unwell');
      else log.debug(fields, 'plugin state');
    }),
    subscribe('plugin.degraded', ({ diagnostic }) => log.warn({ ...diagnostic }, 'plugin degraded')),
    subscribe('plugin.strike', (fields) => log.warn(fields, 'plugin strike')),
    subscribe('plugin.restarted', (fields) => log.warn(fields, 'plugin restarts')),
    subscribe('plugin.log', ({ level, ...line }) => log[level](line, 'plugin log')),
    subscribe('capability.denied', (fields) => refused(fields, 'capability denied')),
    subscribe('budget.reached', (fields) => log.warn(fields, fields.level === 'warned' ? 'a daily budget is nearly spent' : 'a daily budget is spent')),
    subscribe('gate.verdict', (fields) => (fields.failure === undefined ? undefined : refused(fields, 'a gate gave no verdict'))),
    subscribe('channel.unread', (fields) => refused(fields, 'a channel could not read what came')),
    subscribe('ingress.refused', (fields) => refused(fields, 'a request was not believed')),
    subscribe('secret.leaked', (fields) => log.error(fields, 'a server sent a secret back; the answer was withheld')),
    subscribe('egress.request', (fields) => {
      if (fields.cause === 'ADDRESS_REFUSED') refused(fields, 'a name leads to an address that plugins may not reach; egress.allow can make an exception');
      else log.debug(fields, 'egress request');
    }),
    subscribe('sandbox.ended', (fields) => (fields.cause === 'stopped' ? log.debug(fields, 'sandbox ended') : log.warn(fields, 'sandbox ended'))),
    subscribe('sandbox.late-rejection', (fields) => log.warn(fields, 'plugin rejected a promise nobody awaited')),
    subscribe('lane.stuck', (fields) => log.error(fields, 'a lane is stuck')),
    subscribe('lane.freed', (fields) => log.warn(fields, 'a lane that was stuck goes on')),
    subscribe('dead-letter.created', (fields) => log.warn(fields, 'dead letter')),
    subscribe('store.unreadable', (fields) => log.error(fields, 'a row of the store cannot be read: lists and sweeps pass over it')),
    subscribe('store.migrated', (fields) => log.warn(fields, 'store backed up before its migration')),
    subscribe('pressure.changed', (fields) => (fields.to === 'normal' ? log.info(fields, 'pressure is over') : log.warn(fields, 'queues fill'))),
    subscribe('worker.failed', (fields) => log.warn(fields, 'a pass of a worker failed')),
    subscribe('worker.stuck', (fields) => log.error(fields, 'a pass of a worker does not end')),
    subscribe('worker.degraded', (fields) => log.error(fields, 'a worker cannot go on; it is tried once a minute')),
    subscribe('worker.recovered', (fields) => log.info(fields, 'a worker goes on')),
    subscribe('host.stopping', (fields) => log.info(fields, 'host stopping')),
  ];
  return {
    [Symbol.dispose]() {
      for (const each of stop) each();
    },
  };
}
