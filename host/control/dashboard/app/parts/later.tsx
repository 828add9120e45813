// A view whose script comes when somebody first looks at it. Used by views.tsx for those that are opened seldom.
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ApiError } from '../core/api.ts';
import { Refusal, Skeleton } from './parts.tsx';

export function later<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  let View: ComponentType<Props> | undefined;
  return function Later(props: Props) {
    const [state, setState] = useState<'loading' | 'loaded' | 'failed'>(View ? 'loaded' : 'loading');
    useEffect(() => {
      if (state !== 'loading') return;
      load().then((loaded) => {
        View = loaded;
        setState('loaded');
      }, () => setState('failed'));
    }, [state]);
    // As every view that is opened: reading begins at its heading.
    useEffect(() => {
      if (state === 'loaded' && document.activeElement === document.body) document.querySelector<HTMLElement>('#title')?.focus({ preventScroll: true });
    }, [state]);
    if (state === 'failed') return <Refusal error={new ApiError({ title: 'This part of the page did not load', code: 'UNREACHABLE', detail: 'The host cannot be reached, or runs another version by now. Load the page anew.' })} onRetry={() => location.reload()} />;
    return View ? <View {...props} /> : <div class="panel"><div class="body"><Skeleton lines={6} /></div></div>;
  };
}
