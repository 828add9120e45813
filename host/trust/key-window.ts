// When a key counts. Asked by everything that verifies a signature.

export interface KeyWindow {
  /** RFC 3339; open when absent. */
  readonly notBefore?: string;
  readonly notAfter?: string;
}

/** `time`: milliseconds since the epoch. Both ends count. */
export function isWithin({ notBefore, notAfter }: KeyWindow, time: number): boolean {
  return (notBefore === undefined || Date.parse(notBefore) <= time) && (notAfter === undefined || time <= Date.parse(notAfter));
}

/** Nobody's clock is exact: what is issued further ahead than this is issued in the future. */
export const CLOCK_SKEW_MS = 5 * 60 * 1000;
