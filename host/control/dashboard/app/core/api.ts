// How the page talks to its host: JSON over fetch with the token of whoever signed in. Every page goes through `createApi`.
import type { Problem } from '../../../../../schemas/control.ts';

/** What the host refused, in its own words; or that it could not be reached at all (`status` 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly retryAfterMs: number | undefined;

  constructor({ status, code, title, detail, retryAfterMs }: Partial<Problem>) {
    super(detail ?? title ?? 'The host gave no reason.');
    this.name = 'ApiError';
    this.status = status ?? 0;
    this.code = code ?? 'UNREACHABLE';
    this.title = title ?? 'Failed';
    this.retryAfterMs = retryAfterMs;
  }
}

export type Query = Readonly<Record<string, string | number | undefined>>;

export interface CallOptions {
  readonly query?: Query;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** The `etag` of what the change was decided from: somebody else's change in between is not overwritten. */
  readonly ifMatch?: string | undefined;
}

export interface Tagged<T> {
  readonly value: T;
  /** Undefined where something between packed the answer: such a tag guards nothing. */
  readonly tag: string | undefined;
}

export interface Api {
  get<T>(path: string, options?: Pick<CallOptions, 'query' | 'signal'>): Promise<T>;
  /** With its tag, which a change that was decided from it sends along. */
  tagged<T>(path: string, options?: Pick<CallOptions, 'signal'>): Promise<Tagged<T>>;
  /** A change. It carries a key of its own, so that a network that sends it twice does it once. */
  change<T>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, options?: CallOptions): Promise<T>;
  /** The raw answer, for streams. Rejects like the others unless it is a success. */
  open(path: string, options: { readonly headers?: Record<string, string>; readonly signal?: AbortSignal; readonly query?: Query }): Promise<Response>;
}

/** A host that says nothing for so long is not there. */
const TIMEOUT_MS = 30_000;

/** `onUnauthenticated` is told whenever the host no longer takes the token. */
export function createApi(token: string, onUnauthenticated: () => void): Api {
  async function send(method: string, path: string, { query, body, signal, ifMatch }: CallOptions = {}, headers: Record<string, string> = {}): Promise<Response> {
    const isChange = method !== 'GET';
    const request = fetch(urlOf(path, query), {
      method,
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(isChange ? { 'idempotency-key': crypto.randomUUID() } : {}),
        ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
    const response = await request.catch((cause: unknown) => {
      if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
      throw new ApiError({ title: 'No connection', code: 'UNREACHABLE', detail: cause instanceof DOMException && cause.name === 'TimeoutError' ? 'The host did not answer in time. Whether it did what was asked is not known; look before you try again.' : 'The host cannot be reached. Check that it runs and that this machine is connected.' });
    });
    if (response.ok) return response;
    if (response.status === 401) onUnauthenticated();
    throw new ApiError(await problemOf(response));
  }

  const timed = (signal?: AbortSignal) => (signal ? AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]) : AbortSignal.timeout(TIMEOUT_MS));
  const json = async <T>(response: Response): Promise<T> => {
    const text = await response.text();
    const value: T = text === '' ? undefined : JSON.parse(text);
    return value;
  };
  return {
    get: async (path, { signal, ...options } = {}) => json(await send('GET', path, { ...options, signal: timed(signal) })),
    tagged: async (path, { signal } = {}) => {
      const response = await send('GET', path, { signal: timed(signal) });
      const tag = response.headers.get('etag');
      return { value: await json(response), tag: tag === null || tag.startsWith('W/') ? undefined : tag };
    },
    change: async (method, path, { signal, ...options } = {}) => json(await send(method, path, { ...options, signal: timed(signal) })),
    open: (path, { headers, ...options }) => send('GET', path, options, headers),
  };
}

/** One segment of a path. */
export const segment = (text: string): string => encodeURIComponent(text);

function urlOf(path: string, query: Query = {}): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, String(value)]]));
  return `/api/v1${path}${given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`}`;
}

async function problemOf(response: Response): Promise<Partial<Problem>> {
  const body: unknown = await response.json().catch(() => undefined);
  const problem: Partial<Problem> = body instanceof Object ? body : {};
  return { title: response.statusText, code: `HTTP_${response.status}`, ...problem, status: response.status };
}

export const isAbort = (error: unknown): boolean => error instanceof DOMException && error.name === 'AbortError';

/** What went wrong, as something to show. */
export const asApiError = (error: unknown): ApiError => (error instanceof ApiError ? error : new ApiError({ title: 'Defect of this page', code: 'DASHBOARD', detail: error instanceof Error ? error.message : String(error) }));
