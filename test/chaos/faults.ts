// The matrix of crash safety: where in the life of a message harm is done, and which. Shared by the tests and by the preload that does it (strike.ts).

/**
 * Each names the moment right after that stage ended and before the next began. The three commits lie between `moderate` and `accept`, `offer` and
 * `conclude`, `deliver` and `settle`; `deliver` is also the moment when the channel has sent and nothing has been written down about it.
 */
export const BOUNDARIES = ['receive', 'normalize', 'admit', 'moderate', 'accept', 'respond', 'sanitize', 'screen', 'offer', 'conclude', 'shape', 'deliver', 'settle'] as const;
export type Boundary = (typeof BOUNDARIES)[number];

/**
 * `host killed`       SIGKILL to itself.
 * `sandboxes killed`  SIGKILL to every plugin process at once.
 * `commit error`      the next commits are refused by the engine; nothing of them is written.
 * `disk full`         no byte is free on the disk of the data directory, until told otherwise; where the machine lets us mount none, a limit on the size of files.
 * `slow flush`        the next commits take a quarter of a second, some before they are on disk, some after.
 * `clock jump`        the wall clock leaps a day; forward and back by turns.
 * `reply lost`        every connection is reset: what was sent to a peer at this moment does not arrive.
 */
export const FAULTS = ['host killed', 'sandboxes killed', 'commit error', 'disk full', 'slow flush', 'clock jump', 'reply lost'] as const;
export type Fault = (typeof FAULTS)[number];

/** What the test tells the preload. */
export type Order =
  | { readonly strike: Fault; readonly at: Boundary; /** How many times the boundary is passed before. */ readonly after: number }
  /** SIGKILL to one of the plugin processes, at once. */
  | { readonly killOne: true }
  | { readonly heal: true };

/** What the preload tells the test. A killed host tells nothing. */
export type Report = { readonly struck: Fault } | { readonly healed: true };

export const SLOW_FLUSH_MS = 250;
export const COMMITS_HARMED = 6;
export const DAY_MS = 24 * 3600 * 1000;
