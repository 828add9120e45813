// Reading one thing from the API: loading, shown, failed, and again every so often. What is left behind is aborted; a hidden tab does not poll.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { asApiError, isAbort, type Api, type ApiError, type Query } from './api.ts';

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

export function useResource<T>(api: Api, path: string | undefined, { query, everyMs, enabled = true }: ResourceOptions = {}): Resource<T> {
  const [state, setState] = useState<{ readonly key: string; readonly value?: T; readonly error?: ApiError; readonly isLoading: boolean }>({ key: '', isLoading: true });
  const [round, setRound] = useState(0);
  const key = path === undefined || !enabled ? '' : `${path} ${JSON.stringify(query ?? {})}`;
  const latest = useRef({ path, query });
  latest.current = { path, query };

  useEffect(() => {
    if (key === '') {
      setState({ key, isLoading: false });
      return undefined;
    }
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    setState((before) => (before.key === key ? { ...before, isLoading: true } : { key, isLoading: true }));
    const read = () => {
      const { path: from = '', query: by } = latest.current;
      api.get<T>(from, { signal: controller.signal, ...(by ? { query: by } : {}) }).then(
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
  }, [api, key, everyMs, round]);

  const reload = useCallback(() => setRound((before) => before + 1), []);
  const isCurrent = state.key === key;
  return { value: isCurrent ? state.value : undefined, error: isCurrent ? state.error : undefined, isLoading: !isCurrent || state.isLoading, reload };
}
