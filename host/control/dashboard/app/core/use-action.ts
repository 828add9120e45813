// A change that somebody asked for: once at a time, told how it ended. A second click while the first is under way does nothing.
import { useCallback, useRef, useState } from 'preact/hooks';
import { asApiError, type ApiError } from './api.ts';
import { useShared } from './context.ts';

export interface Action<Arguments extends readonly unknown[]> {
  readonly run: (...given: Arguments) => Promise<boolean>;
  readonly isRunning: boolean;
  readonly error: ApiError | undefined;
  readonly clear: () => void;
}

/** `done` says what was done, for the notice; undefined for none. */
export function useAction<Arguments extends readonly unknown[], T>(work: (...given: Arguments) => Promise<T>, done: (result: T) => string | undefined): Action<Arguments> {
  const { notify } = useShared();
  const [state, setState] = useState<{ readonly isRunning: boolean; readonly error?: ApiError }>({ isRunning: false });
  const isRunning = useRef(false);
  const latest = useRef({ work, done });
  latest.current = { work, done };
  const run = useCallback(async (...given: Arguments) => {
    if (isRunning.current) return false;
    isRunning.current = true;
    setState({ isRunning: true });
    try {
      const text = latest.current.done(await latest.current.work(...given));
      setState({ isRunning: false });
      if (text !== undefined) notify('good', text);
      return true;
    } catch (thrown) {
      setState({ isRunning: false, error: asApiError(thrown) });
      return false;
    } finally {
      isRunning.current = false;
    }
  }, [notify]);
  const clear = useCallback(() => setState({ isRunning: false }), []);
  return { run, isRunning: state.isRunning, error: state.error, clear };
}
