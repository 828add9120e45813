// The icons, drawn in one stroke on a field of sixteen. They go with words; where one stands alone its button has a name.
const PATHS = {
  overview: 'M2 13h12M3.5 10.5l3-4 2.5 2.5 4-6',
  plugins: 'M6 2v3M10 2v3M4 5h8v3a4 4 0 0 1-8 0zM8 12v2.5',
  messages: 'M2.5 3h11v8h-6L4 13.5V11H2.5z',
  lanes: 'M2 4h12M2 8h8M2 12h12M12 6.5 13.5 8 12 9.5',
  sessions: 'M8 8a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM3 13.5c.4-2.3 2.4-3.5 5-3.5s4.6 1.2 5 3.5',
  deliveries: 'M2 8 14 2.5 10.5 13.5 7.5 9z M7.5 9 14 2.5',
  letters: 'M2.5 4h11v8.5h-11zM2.5 4.5 8 9l5.5-4.5',
  quarantine: 'M8 1.8 13.5 4v4c0 3-2.3 5.2-5.5 6.2C4.8 13.2 2.5 11 2.5 8V4zM6 6.2l4 4M10 6.2l-4 4',
  approvals: 'M8 1.8 13.5 4v4c0 3-2.3 5.2-5.5 6.2C4.8 13.2 2.5 11 2.5 8V4zM5.7 8l1.6 1.7 3-3.4',
  costs: 'M2.6 12.2a6 6 0 1 1 10.8 0M8 10.5l2.8-3.6M8 11.5a1 1 0 1 0 0-2 1 1 0 0 0 0 2z',
  pairing: 'M6 7.6a2.4 2.4 0 1 0 0-4.8 2.4 2.4 0 0 0 0 4.8zM1.8 13.2c.3-2.2 2-3.4 4.2-3.4s3.9 1.2 4.2 3.4M12.2 5.5v5M9.7 8h5',
  events: 'M1.8 8h2.7l1.7-4.5 3 9 1.7-4.5h3.3',
  audit: 'M4 1.8h6.5l2 2v10.4H4zM6.2 6h4M6.2 8.5h4M6.2 11h2.5',
  tokens: 'M5.5 13a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM7.6 8.3 13.5 2.5M11 5l2 2',
  settings: 'M2 4.5h6M11.5 4.5H14M2 11.5h2.5M8 11.5h6M9.8 6.2a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4zM6.2 13.2a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4z',
  check: 'M3 8.5 6.3 12 13 4.5',
  cross: 'M4 4l8 8M12 4l-8 8',
  warn: 'M8 2.2 14.5 13.5h-13zM8 6.5v3.2M8 11.7v.1',
  info: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 7.5V11M8 5v.1',
  clock: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 4.8V8l2.2 1.5',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  play: 'M5 3l8 5-8 5z',
  stop: 'M4 4h8v8H4z',
  moon: 'M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5z',
  sun: 'M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9',
  screen: 'M2 3h12v8H2zM6 14h4M8 11v3',
  menu: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
  refresh: 'M13.5 8A5.5 5.5 0 1 1 11.6 3.8M13.5 2v3.2h-3.2',
  out: 'M6.5 2.5h-4v11h4M6 8h8M11 5l3 3-3 3',
  back: 'M9.5 3.5 5 8l4.5 4.5',
  plus: 'M8 3v10M3 8h10',
  link: 'M6 3H3v10h10v-3M9 2.5h4.5V7M13 3 7.5 8.5',
  dot: 'M8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4z',
  replay: 'M2.5 8A5.5 5.5 0 1 0 4.4 3.8M2.5 2v3.2h3.2',
  help: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM6.3 6.3a1.8 1.8 0 1 1 2.5 1.7c-.6.3-.8.6-.8 1.3M8 11.3v.1',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }) {
  return <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d={PATHS[name]} /></svg>;
}

/** The sign of the house. */
export function Sign() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="7" fill="#1f6f5c" />
      <path d="M8 25V14a8 8 0 0 1 16 0v11h-4V14a4 4 0 0 0-8 0v11z" fill="#fff" />
      <path d="M14.5 16h3v9h-3z" fill="#9fe0c9" />
    </svg>
  );
}
