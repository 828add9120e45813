// A WebSocket that comes back: after a loss it connects again, sooner when the network or the person returns.

const FIRST_WAIT_MS = 500;
const MOST_WAIT_MS = 15_000;
/** A connection that lasted so long was a good one. */
const SOUND_AFTER_MS = 5000;

/** @typedef {'connecting' | 'open' | 'waiting'} ConnectionState */

export class Connection {
  #url;
  #hooks;
  /** @type {WebSocket | undefined} */ #socket;
  #timer = 0;
  #failures = 0;
  #openedAt = 0;
  #ended = false;

  /** @param {() => string} url asked at each attempt @param {{ onFrame: (frame: Record<string, unknown>) => void, onState: (state: ConnectionState) => void, onRefused: () => void }} hooks */
  constructor(url, hooks) {
    this.#url = url;
    this.#hooks = hooks;
    addEventListener('online', () => this.#hurry());
    document.addEventListener('visibilitychange', () => document.hidden || this.#hurry());
    this.#connect();
  }

  /** False when there is no connection to send over. @param {object} frame */
  send(frame) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /** Drops the connection and makes a new one at once. */
  restart() {
    this.#drop();
    this.#connect();
  }

  end() {
    this.#ended = true;
    this.#drop();
  }

  #connect() {
    if (this.#ended) return;
    clearTimeout(this.#timer);
    this.#hooks.onState('connecting');
    const socket = new WebSocket(this.#url());
    this.#socket = socket;
    // What an abandoned socket still says is nobody's business.
    const ifCurrent = (/** @type {() => void} */ react) => () => this.#socket === socket && react();
    socket.addEventListener('open', ifCurrent(() => {
      this.#openedAt = Date.now();
      this.#hooks.onState('open');
    }));
    socket.addEventListener('close', ifCurrent(() => this.#wait()));
    socket.addEventListener('message', ({ data }) => {
      if (this.#socket !== socket) return;
      const frame = parse(data);
      if (frame) this.#hooks.onFrame(frame);
    });
  }

  /** Drops the connection and makes no new one until `restart`, or until the network or the person comes back. */
  rest() {
    this.#drop();
  }

  #wait() {
    this.#socket = undefined;
    const wasRefused = this.#openedAt === 0;
    if (this.#openedAt > 0 && Date.now() - this.#openedAt > SOUND_AFTER_MS) this.#failures = 0;
    this.#openedAt = 0;
    this.#hooks.onState('waiting');
    const waitMs = Math.min(MOST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#failures++);
    this.#timer = setTimeout(() => this.#connect(), waitMs * (0.5 + Math.random() / 2));
    if (wasRefused) this.#hooks.onRefused();
  }

  #hurry() {
    if (this.#socket || this.#ended) return;
    this.#failures = 0;
    this.#connect();
  }

  #drop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }
}

/** @param {unknown} data */
function parse(data) {
  try {
    const frame = JSON.parse(String(data));
    return typeof frame === 'object' && frame !== null ? frame : undefined;
  } catch {
    return undefined; // a frame of some later protocol
  }
}
