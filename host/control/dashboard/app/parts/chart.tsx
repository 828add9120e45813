// A line chart over time: uPlot on a canvas, with a legend of its own in the document that says in numbers what the lines show.
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
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

export interface ChartProps {
  readonly title: string;
  /** Seconds since the epoch. */
  readonly times: readonly number[];
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
}

const HEIGHT = 180;
/** A host that was started just now has a line of its own length all the same. */
const LEAST_SECONDS = 600;

/** One value makes no line. */
const hasNoLine = (values: ArrayLike<number | null | undefined>): boolean => Array.from(values).filter((each) => each !== null && each !== undefined).length < 2;

export function Chart({ title, times, series, format }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const [at, setAt] = useState<number | undefined>(undefined);
  const [theme] = useTheme();
  const shape = series.map(({ name, colour, isDashed }) => `${name} ${colour} ${String(isDashed)}`).join();

  useEffect(() => {
    const target = box.current;
    if (!target) return undefined;
    const style = getComputedStyle(target);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const font = `12px ${style.fontFamily}`;
    const axis = { stroke: colour('--text-3'), font, ticks: { show: false }, border: { show: false } };
    const made = new uPlot({
      width: target.clientWidth, height: HEIGHT, padding: [10, 22, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
      scales: { x: { time: true, range: (_self, min, max) => [Math.min(min, max - LEAST_SECONDS), max] }, y: { range: (_self, _min, max) => [0, max > 0 ? max * 1.15 : 1] } },
      axes: [
        { ...axis, size: 28, grid: { show: false }, space: 70, values: (_self, ticks) => ticks.map((tick) => clock(new Date(tick * 1000).toISOString()).slice(0, 5)) },
        { ...axis, size: 58, space: 36, grid: { stroke: colour('--line'), width: 1 }, values: (_self, ticks) => ticks.map((tick) => format(tick)) },
      ],
      series: [{}, ...series.map((each, place) => ({ label: each.name, stroke: colour(`--chart-${each.colour}`), width: 1.5, dash: each.isDashed ? [4, 4] : [], points: { show: (self: uPlot, index: number) => hasNoLine(self.data[index] ?? []), size: 5, fill: colour(`--chart-${each.colour}`) }, spanGaps: true, ...(place === 0 ? { fill: `${colour(`--chart-${each.colour}`)}14` } : {}) }))],
      hooks: { setCursor: [(self) => setAt(self.cursor.idx ?? undefined)] },
    }, [[], ...series.map(() => [])], target);
    plot.current = made;
    const watcher = new ResizeObserver(() => made.setSize({ width: target.clientWidth, height: HEIGHT }));
    watcher.observe(target);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [theme, shape]);

  useEffect(() => {
    plot.current?.setData([[...times], ...series.map(({ values }) => [...values])]);
  }, [times, series, theme, shape]);

  const shown = at !== undefined && at < times.length ? at : times.length - 1;
  const value = ({ values }: Series) => {
    const found = values[shown] ?? (at === undefined ? values.findLast((each) => each !== null) : null);
    return found === null || found === undefined ? '–' : format(found);
  };
  const most = ({ values }: Series) => format(Math.max(0, ...values.map((each) => each ?? 0)));
  return (
    <figure class="chart" aria-label={title}>
      <div class="plot" ref={box} role="img" aria-label={`${title} over the last hour. ${series.map((each) => `${each.name}: now ${value(each)}, at most ${most(each)}`).join('. ')}.`} />
      <figcaption class="legend" aria-hidden="true">
        {series.map((each) => <span key={each.name} class={each.isDashed ? 'dashed' : ''}><i style={{ borderColor: `var(--chart-${each.colour})` }} />{each.name} <b>{value(each)}</b></span>)}
        {at === undefined ? null : <span class="muted">{clock(new Date((times[at] ?? 0) * 1000).toISOString())}</span>}
      </figcaption>
    </figure>
  );
}
