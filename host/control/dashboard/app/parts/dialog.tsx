// A question that must be answered before anything else: the browser's own modal dialog, so that focus stays inside, Escape closes it and the page behind is out of reach.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { IconButton } from './parts.tsx';

export interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly onSubmit?: () => void;
  readonly children: ComponentChildren;
  readonly footer: ComponentChildren;
}

export function Dialog({ title, onClose, onSubmit, children, footer }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      // A dialog that is taken away instead of closed leaves the focus nowhere.
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={id} onCancel={(event) => { event.preventDefault(); onClose(); }}>
      <form onSubmit={(event) => { event.preventDefault(); onSubmit?.(); }}>
        <header><h2 id={id}>{title}</h2><IconButton icon="cross" label="Close" onClick={onClose} /></header>
        <div class="body">{children}</div>
        <footer>{footer}</footer>
      </form>
    </dialog>
  );
}
