// A list of any length: a real table of which only the rows in sight are in the document. Reads the next page when somebody comes near its end.
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { ApiError } from '../core/api.ts';
import { plural } from '../core/format.ts';
import { Button, Refusal, Skeleton } from './parts.tsx';

export interface Column<Item> {
  readonly name: string;
  /** CSS width; without one it shares what is left. */
  readonly width?: string;
  /** `wide`: not on a phone. `extra`: only where there is much room. `narrow`: only on a phone. `number`: to the right. */
  readonly kind?: 'wide' | 'extra' | 'narrow' | 'number' | 'wide number' | 'extra number';
  readonly cell: (item: Item) => ComponentChildren;
}

export interface RowsProps<Item> {
  /** What the list is of, as a screen reader says it. */
  readonly label: string;
  /** `message`, for the count below. */
  readonly one: string;
  readonly many?: string;
  readonly columns: readonly Column<Item>[];
  readonly items: readonly Item[];
  readonly keyOf: (item: Item) => string;
  readonly empty: ComponentChildren;
  readonly isFirst?: boolean;
  readonly isLoading?: boolean;
  readonly hasMore?: boolean;
  readonly error?: ApiError | undefined;
  readonly more?: () => void;
  readonly reload?: () => void;
}

/** Rows beyond the edges, so that a quick hand does not see white. */
const OVERSCAN = 10;
/** The part of the list in the document moves in steps: not every pixel draws. */
const STEP = 5;

export function Rows<Item>({ label, one, many, columns, items, keyOf, empty, isFirst = false, isLoading = false, hasMore = false, error, more, reload }: RowsProps<Item>) {
  const scroll = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ first: 0, rows: 40, rowPx: 40 });

  useLayoutEffect(() => {
    const box = scroll.current;
    if (!box) return undefined;
    const look = () => {
      const rowPx = Number.parseFloat(getComputedStyle(box).getPropertyValue('--row')) || 40;
      const first = Math.max(0, Math.floor(Math.floor(box.scrollTop / rowPx) / STEP) * STEP - OVERSCAN);
      const rows = Math.ceil(box.clientHeight / rowPx) + 2 * OVERSCAN + STEP;
      setView((before) => (before.first === first && before.rows === rows && before.rowPx === rowPx ? before : { first, rows, rowPx }));
    };
    const watcher = new ResizeObserver(look);
    watcher.observe(box);
    box.addEventListener('scroll', look, { passive: true });
    return () => {
      watcher.disconnect();
      box.removeEventListener('scroll', look);
    };
  }, [isFirst]);

  const first = Math.min(view.first, Math.max(0, items.length - view.rows));
  const last = Math.min(items.length, first + view.rows);
  useEffect(() => {
    if (hasMore && last > items.length - 30) more?.();
  }, [hasMore, last, items.length, more]);

  if (isFirst && error) return <Refusal error={error} {...(reload ? { onRetry: reload } : {})} />;
  if (isFirst) return <div class="list"><Skeleton lines={8} label={`Loading ${label}`} /></div>;
  if (items.length === 0 && !isLoading && !hasMore) return <div class="list">{empty}</div>;
  const classOf = ({ kind }: Column<Item>) => kind;
  const pad = (rows: number, name: string) => (rows <= 0 ? null : <tr key={name} class="pad" aria-hidden="true"><td style={{ height: `${rows * view.rowPx}px` }} /></tr>);
  return (
    <div class="list">
      {/* oxlint-disable-next-line -- a region that scrolls must be reachable by keyboard */}
      <div class="scroll" ref={scroll} role="region" aria-label={label} tabIndex={0}>
        <table aria-rowcount={hasMore ? -1 : items.length + 1}>
          <caption class="unseen">{label}</caption>
          <thead>
            <tr aria-rowindex={1}>{columns.map((column) => <th key={column.name} scope="col" class={classOf(column)} style={column.width === undefined ? undefined : { width: column.width }}>{column.name}</th>)}</tr>
          </thead>
          <tbody>
            {pad(first, 'above')}
            {items.slice(first, last).map((item, index) => (
              <tr key={keyOf(item)} class="item" aria-rowindex={first + index + 2}>{columns.map((column) => <td key={column.name} class={classOf(column)}>{column.cell(item)}</td>)}</tr>
            ))}
            {pad(items.length - last, 'below')}
          </tbody>
        </table>
      </div>
      <div class="foot">
        <span role="status">{isLoading && items.length === 0 ? 'Reading…' : `${plural(items.length, one, many)}${hasMore ? ' so far' : ''}${isLoading && hasMore ? ', reading on…' : ''}`}</span>
        {error ? <span class="row">{error.message}{reload ? <Button small onClick={reload}>Try again</Button> : null}</span> : null}
      </div>
    </div>
  );
}
