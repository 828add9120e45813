// A running Gatehouse for tests: the real host and control plane on an ephemeral port, over a home of the test's own.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock, type Clock } from '../../host/clock.ts';
import { loadConfig } from '../../host/config.ts';
import { startControl } from '../../host/control/server.ts';
import { startHost, type Host, type StartOptions } from '../../host/host.ts';
import { createLog, type Log } from '../../host/log.ts';
import { createMetrics } from '../../host/telemetry/metrics.ts';
import type { TestHome } from './home.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; throws when it is not. */
  json<T = Record<string, unknown>>(): T;
}

export interface Gatehouse extends AsyncDisposable {
  readonly host: Host;
  readonly address: string;
  /** Calls the API with the admin token. */
  api(path: string, options?: { readonly method?: string; readonly body?: unknown }): Promise<Answer>;
  /** Any request, without a token. */
  fetch(path: string, init?: RequestInit): Promise<Answer>;
}

/** Resolves once every enablement has settled. Rejects with HostRefused when the start is refused. */
export async function startGatehouse(home: Pick<TestHome, 'path'>, { clock = systemClock, log, ...options }: Pick<StartOptions, 'env' | 'resolve' | 'tracing'> & { readonly log?: Log } & { readonly clock?: Clock } = {}): Promise<Gatehouse> {
  const config = loadConfig({ home: home.path, env: {}, cwd: home.path, listen: '127.0.0.1:0' });
  const host = await startHost({ config, clock, log: log ?? createLog(config.log.level), ...options });
  const metrics = createMetrics(host);
  const control = await startControl({ host, metrics });
  const dispose = async () => {
    await control.close(1000);
    await host.stop('test over', 5000);
    metrics[Symbol.dispose]();
  };
  try {
    await host.booted;
  } catch (error) {
    await dispose();
    throw error;
  }
  const token = (await readFile(join(config.dataDir, 'admin-token'), 'utf8')).trim();
  const request = async (path: string, init: RequestInit = {}): Promise<Answer> => {
    const response = await fetch(`${control.address}${path}`, { redirect: 'manual', ...init });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: <T>() => JSON.parse(text) as T };
  };
  return {
    host,
    address: control.address,
    fetch: request,
    api: (path, { method = 'GET', body } = {}) =>
      request(`/api/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    [Symbol.asyncDispose]: dispose,
  };
}
