// Errors on both sides of the border: the one a plugin throws with a code of its own, and how to tell which one the host answered with.

/** The codes a host call can reject with; docs/errors.md explains each. Treat one you do not know as a failure. */
export type HostErrorCode =
  | 'CAPABILITY_DENIED'
  | 'CAPABILITY_UNKNOWN'
  | 'CAPABILITY_ARGUMENT'
  | 'QUOTA_EXCEEDED'
  | 'KV_QUOTA'
  | 'TOOL_UNKNOWN'
  | 'TOOL_ARGUMENT'
  | 'TOOL_FAILED'
  | 'TOOL_DEPTH'
  | 'MESSAGE_TARGET'
  | 'MESSAGE_HOPS'
  | 'MESSAGE_UNKEPT'
  | 'REPLY_DENIED'
  | 'GATE_UNAVAILABLE'
  | 'GATE_TIMEOUT'
  | 'GATE_FAILED'
  | 'LANE_FULL'
  | 'HOST_BUSY'
  | 'CALL_OVER'
  | 'INTERNAL';

export interface PluginErrorOptions {
  /** False when trying again is of no use, because the same work would fail the same way: a payload that is malformed, a recipient that does not exist. Default true. */
  readonly retry?: boolean;
}

/**
 * Thrown by a plugin to fail with a code. Name, code and the first 500 characters of the message reach the host; a stack never does.
 *
 * Work that failed is tried again, as often as its kind allows. With `{ retry: false }` it is given up at once: a delivery becomes a dead letter, and whoever sent
 * a payload that `receive` refuses this way is told so, with up to 200 characters of the message. A plain `Error` works as well, and is tried again.
 * To refuse a message, do not throw: a moderation plugin returns `{ effect: 'deny', reason }`.
 *
 * @example throw new PluginError('FEED_UNREADABLE', `The feed ${url} is not valid JSON.`);
 * @example throw new PluginError('EVENT_MALFORMED', 'The event has no room.', { retry: false });
 */
export class PluginError extends Error {
  // Fields define own data properties, which work where the prototypes are frozen and are all that the sandbox reads of an error.
  override readonly name = 'PluginError';
  readonly code: string;
  readonly retry: boolean;

  constructor(code: string, message: string, { retry = true }: PluginErrorOptions = {}) {
    super(message);
    this.code = code;
    this.retry = retry;
  }
}

/**
 * Whether something caught carries one of these codes.
 *
 * @example try { … } catch (error) { if (!hasCode(error, 'QUOTA_EXCEEDED')) throw error; }
 */
export function hasCode<Code extends string = HostErrorCode>(error: unknown, ...codes: readonly Code[]): error is Error & { readonly code: Code } {
  return error instanceof Error && 'code' in error && codes.some((code) => code === error.code);
}
