// Numbers, times and sizes as people read them.

const number = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const count = (value: number): string => (value < 100_000 ? number.format(value) : short.format(value));

/** `12 ms`, `1.4 s`, `3 min 20 s` */
export function duration(ms: number): string {
  if (ms < 1) return ms === 0 ? '0 ms' : `${ms.toFixed(2)} ms`;
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return both(seconds, 60, 'min', 's');
  if (seconds < 86_400) return both(Math.floor(seconds / 60), 60, 'h', 'min');
  return both(Math.floor(seconds / 3600), 24, 'd', 'h');
}

const both = (value: number, step: number, big: string, small: string): string => `${Math.floor(value / step)} ${big}${value % step === 0 ? '' : ` ${value % step} ${small}`}`;

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  const power = Math.min(4, Math.floor(Math.log2(value) / 10));
  const scaled = value / 1024 ** power;
  return `${scaled < 10 ? scaled.toFixed(1) : Math.round(scaled)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power] ?? ''}`;
}

/** `just now`, `4 min ago`, `in 2 h`; a day and more by date. */
export function ago(at: string, nowMs = Date.now()): string {
  const behindMs = nowMs - Date.parse(at);
  const size = Math.abs(behindMs);
  if (size < 5000) return 'just now';
  if (size >= 86_400_000) return day(at);
  const text = size < 60_000 ? `${Math.round(size / 1000)} s` : size < 3_600_000 ? `${Math.round(size / 60_000)} min` : `${Math.round(size / 3_600_000)} h`;
  return behindMs >= 0 ? `${text} ago` : `in ${text}`;
}

const dayFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
const momentFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short' });
const clockFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export const day = (at: string): string => dayFormat.format(new Date(at));
export const moment = (at: string): string => momentFormat.format(new Date(at));
export const clock = (at: string): string => clockFormat.format(new Date(at));

/** `sha256:ab12…9f` of a digest, an id or a key. */
export const brief = (text: string, keep = 8): string => {
  const body = text.replace(/^sha256:/, '');
  return body.length <= keep + 4 ? body : `${body.slice(0, keep)}…${body.slice(-4)}`;
};

export const plural = (size: number, one: string, many = `${one}s`): string => `${count(size)} ${size === 1 ? one : many}`;
