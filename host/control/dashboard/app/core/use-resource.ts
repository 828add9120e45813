// Reading from the API, one thing or a whole list: loading, shown, failed, and again every so often. What is left behind is aborted; a hidden tab does not poll.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { asApiError, isAbort, type Api, type ApiError, type Query, type Tagged } from './api.ts';
import type { Page } from './types.ts';

export interface Resource<T> {
  /** The last good answer, also while a newer one is on its way or failed. */
  readonly value: T | undefined;
  readonly error: ApiError | undefined;
  readonly isLoading: boolean;
  readonly reload: () => void;
}

export interface ResourceOptions {
  readonly query?: Query;
  /** Again after so long, milliseconds; without it once. */
  readonly everyMs?: number;
  /** Undefined path: nothing is read. */
  readonly enabled?: boolean;
}

const keyOf = (path: string | undefined, { query = {}, enabled = true }: ResourceOptions): string => (path === undefined || !enabled ? '' : `${path} ${JSON.stringify(query)}`);

export function useResource<T>(api: Api, path: string | undefined, options: ResourceOptions = {}): Resource<T> {
  const { query = {}, everyMs } = options;
  return useReading(keyOf(path, options), (signal) => api.get<T>(path ?? '', { query, signal }), everyMs);
}

/** Once, with its tag: for whoever decides about it. */
export function useTagged<T>(api: Api, path: string): Resource<Tagged<T>> {
  return useReading(`tagged ${path}`, (signal) => api.tagged<T>(path, { signal }), undefined);
}

const PAGE = 200;
/** A list that is longer is not one to be read whole. */
const MOST_PAGES = 25;

/** Every page of a list of things that are not many, as instances: at most five thousand. */
export function useAll<Item>(api: Api, path: string, options: ResourceOptions = {}): Resource<readonly Item[]> {
  const { query = {}, everyMs } = options;
  const readAll = async (signal: AbortSignal) => {
    const items: Item[] = [];
    let cursor: string | null = '';
    for (let pages = 0; cursor !== null && pages < MOST_PAGES; pages += 1) {
      const page: Page<Item> = await api.get<Page<Item>>(path, { query: { ...query, limit: PAGE, cursor }, signal });
      items.push(...page.items);
      cursor = page.cursor;
    }
    return items;
  };
  return useReading(keyOf(path, options), readAll, everyMs);
}

/** An empty key reads nothing; another one begins anew. */
function useReading<T>(key: string, reading: (signal: AbortSignal) => Promise<T>, everyMs: number | undefined): Resource<T> {
  const [state, setState] = useState<{ readonly key: string; readonly value?: T; readonly error?: ApiError; readonly isLoading: boolean }>({ key: '', isLoading: true });
  const [round, setRound] = useState(0);
  const latest = useRef(reading);
  latest.current = reading;

  useEffect(() => {
    if (key === '') {
      setState({ key, isLoading: false });
      return undefined;
    }
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    setState((before) => (before.key === key ? { ...before, isLoading: true } : { key, isLoading: true }));
    const read = () => {
      latest.current(controller.signal).then(
        (value) => {
          setState({ key, value, isLoading: false });
          plan();
        },
        (error: unknown) => {
          if (isAbort(error)) return;
          setState((before) => ({ ...before, key, error: asApiError(error), isLoading: false }));
          plan();
        },
      );
    };
    const plan = () => {
      if (everyMs === undefined || controller.signal.aborted) return;
      timer = setTimeout(() => (document.hidden ? plan() : read()), everyMs);
    };
    read();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [key, everyMs, round]);

  const reload = useCallback(() => setRound((before) => before + 1), []);
  const isCurrent = state.key === key;
  return { value: isCurrent ? state.value : undefined, error: isCurrent ? state.error : undefined, isLoading: !isCurrent || state.isLoading, reload };
}
