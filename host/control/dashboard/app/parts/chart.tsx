// A line chart over time: uPlot on a canvas, with a legend of its own in the document that says in numbers what the lines show.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type uPlot from 'uplot';
import { clock } from '../core/format.ts';
import { useTheme } from '../core/theme.ts';

export interface Series {
  readonly name: string;
  /** Which of the four colours. */
  readonly colour: 1 | 2 | 3 | 4;
  /** Told apart without colour as well. */
  readonly isDashed?: boolean;
  readonly values: readonly (number | null)[];
}

/** What the chart reaches over. */
export interface Span {
  /** `over the last hour` */
  readonly says: string;
  /** A host that was started just now has a line of its own length all the same. */
  readonly leastSeconds: number;
  readonly tick: (seconds: number) => string;
}

export interface ChartProps {
  readonly title: string;
  /** Seconds since the epoch. */
  readonly times: readonly number[];
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  /** What the upper end of the axis comes to at least: a line of zeros lies at the bottom of something. */
  readonly least?: number;
  readonly span?: Span;
}

const HEIGHT = 180;
const LAST_HOUR: Span = { says: 'over the last hour', leastSeconds: 600, tick: (seconds) => clock(new Date(seconds * 1000).toISOString()) };

/** One value makes no line. */
const hasNoLine = (values: ArrayLike<number | null | undefined>): boolean => Array.from(values).filter((each) => each !== null && each !== undefined).length < 2;

export function Chart({ title, times, series, format, least = 1, span = LAST_HOUR }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const [at, setAt] = useState<number | undefined>(undefined);
  const [theme] = useTheme();
  const shape = series.map(({ name, colour, isDashed }) => `${name} ${colour} ${String(isDashed)}`).join();

  const draw = useRef<() => void>(() => undefined);
  useEffect(() => {
    const target = box.current;
    if (!target) return undefined;
    let leave: (() => void) | undefined;
    let hasLeft = false;
    // Two fifths of all script, and only this view wants it.
    void import('uplot').then(({ default: Plot }) => {
      if (hasLeft) return;
      const made = new Plot(optionsOf(target, series, format, least, span, setAt), [[], ...series.map(() => [])], target);
      plot.current = made;
      draw.current();
      const watcher = new ResizeObserver(() => made.setSize({ width: target.clientWidth, height: HEIGHT }));
      watcher.observe(target);
      leave = () => {
        watcher.disconnect();
        made.destroy();
        plot.current = undefined;
      };
    });
    return () => {
      hasLeft = true;
      leave?.();
    };
  }, [theme, shape, span.says]);

  const data = useMemo((): uPlot.AlignedData => [[...times], ...series.map(({ values }) => [...values])], [times, series]);
  draw.current = () => plot.current?.setData(data);
  useEffect(() => draw.current(), [data]);

  const shown = at !== undefined && at < times.length ? at : times.length - 1;
  const value = ({ values }: Series) => {
    const found = values[shown] ?? (at === undefined ? values.findLast((each) => each !== null) : null);
    return found === null || found === undefined ? '–' : format(found);
  };
  const most = ({ values }: Series) => format(Math.max(0, ...values.map((each) => each ?? 0)));
  return (
    <figure class="chart" aria-label={title}>
      <div class="plot" ref={box} role="img" aria-label={`${title} ${span.says}. ${series.map((each) => `${each.name}: now ${value(each)}, at most ${most(each)}`).join('. ')}.`} />
      <figcaption class="legend" aria-hidden="true">
        {series.map((each) => <span key={each.name} class={each.isDashed ? 'dashed' : ''}><i style={{ borderColor: `var(--chart-${each.colour})` }} />{each.name} <b>{value(each)}</b></span>)}
        {at === undefined ? null : <span class="muted">{span.tick(times[at] ?? 0)}</span>}
      </figcaption>
    </figure>
  );
}

function optionsOf(target: HTMLElement, series: readonly Series[], format: (value: number) => string, least: number, span: Span, onCursor: (index: number | undefined) => void): uPlot.Options {
  const style = getComputedStyle(target);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour('--text-3'), font: `12px ${style.fontFamily}`, ticks: { show: false }, border: { show: false } };
  return {
    width: target.clientWidth, height: HEIGHT, padding: [10, 22, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { x: { time: true, range: (_self, min, max) => [Math.min(min, max - span.leastSeconds), max] }, y: { range: (_self, _min, max) => [0, Math.max(least, max * 1.15)] } },
    axes: [
      { ...axis, size: 28, grid: { show: false }, space: 70, values: (_self, ticks) => ticks.map((tick) => (span === LAST_HOUR ? span.tick(tick).slice(0, 5) : span.tick(tick))) },
      { ...axis, size: 58, space: 36, grid: { stroke: colour('--line'), width: 1 }, values: (_self, ticks) => ticks.map((tick) => format(tick)) },
    ],
    series: [{}, ...series.map(({ name, colour: number, isDashed }, place) => {
      const stroke = colour(`--chart-${number}`);
      return { label: name, stroke, width: 1.5, dash: isDashed ? [4, 4] : [], spanGaps: true, points: { show: (self: uPlot, index: number) => hasNoLine(self.data[index] ?? []), size: 5, fill: stroke }, ...(place === 0 ? { fill: `${stroke}14` } : {}) };
    })],
    hooks: { setCursor: [(self) => onCursor(self.cursor.idx ?? undefined)] },
  };
}
