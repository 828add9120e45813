// Tables and facts for people, from the same values that --json prints. Called by commands that list or show.
import Table from 'cli-table3';
import { columnsOf, cutTo, fitted } from './fit.ts';
import { plainLine, type Io } from './io.ts';

const NO_LINES = {
  top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '',
  left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ',
};

/** One line an item, columns in the order of `columns`; every cell is made safe for a terminal, and no line is wider than it. */
export function table<Item>(io: Io, items: readonly Item[], columns: Readonly<Record<string, (item: Item) => unknown>>, whenEmpty: string): string {
  if (items.length === 0) return whenEmpty;
  const names = Object.keys(columns);
  const { head, rows } = fit(io, { head: names, rows: items.map((item) => Object.values(columns).map((cell) => plainLine(text(cell(item))))) });
  const lines = new Table({ head: head.map((name) => io.tone('dim', name)), chars: NO_LINES, style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 } });
  lines.push(...rows);
  return trimmed(lines.toString());
}

interface Cells {
  readonly head: string[];
  readonly rows: string[][];
}

function fit(io: Io, { head, rows }: Cells): Cells {
  const widths = head.map((name, at) => Math.max(columnsOf(name), ...rows.map((cells) => columnsOf(cells[at] ?? ''))));
  if (widths.reduce((sum, width) => sum + width + NO_LINES.middle.length, -NO_LINES.middle.length) <= io.width) return { head, rows };
  io.cut();
  const narrow = fitted(head.map((name, at) => ({ name, width: widths[at] ?? 0 })), io.width);
  const cutAll = (cells: readonly string[]) => cells.flatMap((cell, at) => ((narrow[at] ?? 0) === 0 ? [] : [cutTo(cell, narrow[at] ?? 0)]));
  return { head: cutAll(head), rows: rows.map(cutAll) };
}

/** `name  value` a line; what is undefined or null is left out. */
export function facts(io: Io, values: Readonly<Record<string, unknown>>): string {
  const lines = new Table({ chars: NO_LINES, style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 } });
  for (const [name, value] of Object.entries(values)) if (value !== undefined && value !== null) lines.push([io.tone('dim', name), plainLine(text(value), 400)]);
  return trimmed(lines.toString());
}

function text(value: unknown): string {
  if (value === undefined || value === null) return '–';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const trimmed = (lines: string) => lines.split('\n').map((line) => line.trimEnd()).join('\n');
