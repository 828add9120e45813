// Keys that lead about: `g` and a letter to a view, `j` and `k` through a list, `/` to the filter, `?` for all of them. They can be switched off, for whoever speaks to their computer.
import { useEffect, useState } from 'preact/hooks';
import { useShared } from './core/context.ts';
import { go, to } from './core/router.ts';
import { Dialog } from './parts/dialog.tsx';
import { Button } from './parts/parts.tsx';
import { PLACES } from './places.ts';

const KEY = 'gatehouse.shortcuts';
const isOff = () => localStorage.getItem(KEY) === 'off';
/** A `g` counts for so long. */
const SECOND_KEY_MS = 1200;

export function useShortcuts({ onHelp }: { readonly onHelp: () => void }): void {
  const { session } = useShared();
  useEffect(() => {
    let leaderAt = 0;
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isOff() || isWriting(event.target) || document.querySelector('dialog[open]')) return;
      const { key } = event;
      if (leaderAt > 0 && performance.now() - leaderAt < SECOND_KEY_MS) {
        leaderAt = 0;
        const place = PLACES.flatMap(({ places }) => places).find((each) => each.key === key && session.may(each.scope));
        if (place) go(to(...(place.path === '' ? [] : [place.path])));
        return;
      }
      leaderAt = key === 'g' ? performance.now() : 0;
      if (key === '?') onHelp();
      else if (key === '/') {
        const filter = document.querySelector<HTMLElement>('.filters .input');
        if (filter) event.preventDefault();
        filter?.focus();
      } else if (key === 'j' || key === 'k') step(key === 'j' ? 1 : -1);
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [session, onHelp]);
}

function step(by: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('.list tr.item')];
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[at === -1 ? 0 : at + by];
  next?.querySelector<HTMLElement>('a, button')?.focus();
}

const isWriting = (target: EventTarget | null): boolean => target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

export function Shortcuts({ onClose }: { readonly onClose: () => void }) {
  const { session } = useShared();
  const [off, setOff] = useState(isOff);
  const places = PLACES.flatMap((each) => each.places).filter(({ scope }) => session.may(scope));
  const toggle = (isChecked: boolean) => {
    if (isChecked) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, 'off');
    setOff(!isChecked);
  };
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose} onSubmit={onClose} footer={<Button type="submit" kind="primary">Done</Button>}>
      <label class="check"><input type="checkbox" checked={!off} onChange={({ currentTarget }) => toggle(currentTarget.checked)} />Use single-key shortcuts</label>
      <dl class="facts">
        {places.flatMap(({ key, name }) => [<dt key={`${key} t`}><kbd>g</kbd> <kbd>{key}</kbd></dt>, <dd key={`${key} d`}>{name}</dd>])}
        <dt><kbd>j</kbd> <kbd>k</kbd></dt><dd>Next and previous row of a list</dd>
        <dt><kbd>/</kbd></dt><dd>To the filters</dd>
        <dt><kbd>?</kbd></dt><dd>This list</dd>
      </dl>
    </Dialog>
  );
}
