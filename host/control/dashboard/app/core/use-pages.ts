// Reading a list page by page: the first at once, the next when somebody comes near its end.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { asApiError, isAbort, type Api, type ApiError, type Query } from './api.ts';
import type { Page } from './types.ts';

export interface Pages<Item> {
  readonly items: readonly Item[];
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  /** Nothing has been read yet. */
  readonly isFirst: boolean;
  readonly error: ApiError | undefined;
  readonly more: () => void;
  readonly reload: () => void;
}

interface State<Item> {
  readonly key: string;
  readonly items: readonly Item[];
  readonly cursor: string | null;
  readonly isLoading: boolean;
  readonly isFirst: boolean;
  readonly error?: ApiError;
}

const PAGE = 200;

export function usePages<Item>(api: Api, path: string, query: Query = {}, enabled = true): Pages<Item> {
  const key = `${path} ${JSON.stringify(query)}`;
  const [round, setRound] = useState(0);
  const [state, setState] = useState<State<Item>>({ key, items: [], cursor: null, isLoading: true, isFirst: true });
  const reading = useRef<AbortController | undefined>(undefined);
  const latest = useRef({ path, query, state });
  latest.current = { path, query, state };

  const read = useCallback((cursor: string | null) => {
    reading.current?.abort();
    const controller = new AbortController();
    reading.current = controller;
    const { path: from, query: by } = latest.current;
    setState((before) => ({ ...(cursor === null && before.key !== key ? { items: [], cursor: null, isFirst: true } : before), key, isLoading: true }));
    api.get<Page<Item>>(from, { query: { ...by, limit: PAGE, cursor: cursor ?? undefined }, signal: controller.signal }).then(
      (page) => {
        setState((before) => ({ key, items: cursor === null ? page.items : [...before.items, ...page.items], cursor: page.cursor, isLoading: false, isFirst: false }));
        if (reading.current === controller) reading.current = undefined;
      },
      (error: unknown) => {
        if (isAbort(error)) return;
        setState((before) => ({ ...before, isLoading: false, error: asApiError(error) }));
        if (reading.current === controller) reading.current = undefined;
      },
    );
  }, [api, key]);

  useEffect(() => {
    if (enabled) read(null);
    return () => reading.current?.abort();
  }, [read, round, enabled]);

  const more = useCallback(() => {
    const { state: now } = latest.current;
    if (now.cursor !== null && !now.isLoading && now.error === undefined) read(now.cursor);
  }, [read]);
  const reload = useCallback(() => setRound((before) => before + 1), []);
  const isCurrent = state.key === key;
  return { items: isCurrent ? state.items : [], hasMore: state.cursor !== null, isLoading: state.isLoading || !isCurrent, isFirst: state.isFirst || !isCurrent, error: isCurrent ? state.error : undefined, more, reload };
}
