// The events an operator wants to read about, as log lines. Made by main.ts.
import { subscribe } from '../events.ts';
import type { Log } from '../log.ts';

/** Plugin lines carry the tag `plugin log`: they are foreign text, capped by the sandbox, and never say anything in the host's name. */
export function logEvents(log: Log): Disposable {
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
    subscribe('capability.denied', (fields) => log.warn(fields, 'capability denied')),
    subscribe('secret.leaked', (fields) => log.error(fields, 'a server sent a secret back; the answer was withheld')),
    subscribe('egress.request', (fields) => {
      if (fields.cause === 'ADDRESS_REFUSED') log.warn(fields, 'a name leads to an address that plugins may not reach; egress.allow can make an exception');
      else log.debug(fields, 'egress request');
    }),
    subscribe('sandbox.ended', (fields) => (fields.cause === 'stopped' ? log.debug(fields, 'sandbox ended') : log.warn(fields, 'sandbox ended'))),
    subscribe('sandbox.late-rejection', (fields) => log.warn(fields, 'plugin rejected a promise nobody awaited')),
    subscribe('dead-letter.created', (fields) => log.warn(fields, 'dead letter')),
    subscribe('host.stopping', (fields) => log.info(fields, 'host stopping')),
  ];
  return {
    [Symbol.dispose]() {
      for (const each of stop) each();
    },
  };
}
