// What was said, kept in the browser's storage: a message is written down here before it is sent, and stays "sending" until the host has answered for it.

/**
 * @typedef {{ kind: 'own', id: string, text: string, at: number, status: 'sending' | 'accepted' | 'denied' | 'held', reason?: string, again?: boolean, reactions?: string[] }} OwnEntry
 *   `again`: the refusal may have been for the moment only. `reactions`: emoji that others put on it.
 * @typedef {{ kind: 'reply', id: string, text: string, at: number, edited?: boolean, media?: unknown }} ReplyEntry
 * @typedef {OwnEntry | ReplyEntry} Entry
 * @typedef {{ entries: Entry[], lastReply: string }} Content
 */

const MOST_ENTRIES = 500;
const MOST_REACTIONS = 8;

/** Storage that also works where the browser allows none: then for as long as the page is open. */
export function openStorage() {
  const memory = new Map();
  try {
    localStorage.setItem('gatehouse:probe', '1');
    localStorage.removeItem('gatehouse:probe');
    return localStorage;
  } catch {
    return {
      getItem: (/** @type {string} */ key) => memory.get(key) ?? null,
      setItem: (/** @type {string} */ key, /** @type {string} */ value) => void memory.set(key, value),
      removeItem: (/** @type {string} */ key) => void memory.delete(key),
    };
  }
}

/** 128 random bits as 22 characters: nobody guesses them, and the host takes nothing weaker. */
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** One conversation. `changed` hears of every entry that came, or changed by another tab's doing as well. */
export class Transcript {
  #storage;
  #key;
  #changed;
  /** @type {Map<string, Entry>} */ #entries = new Map();
  #lastReply = '';

  /** @param {Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>} storage @param {string} key @param {(entry: Entry) => void} changed */
  constructor(storage, key, changed) {
    this.#storage = storage;
    this.#key = key;
    this.#changed = changed;
    this.reload();
  }

  /** Takes over what another tab has written. */
  reload() {
    const { entries, lastReply } = this.#stored();
    for (const entry of entries) this.#merge(entry);
    if (lastReply > this.#lastReply) this.#lastReply = lastReply;
  }

  get isEmpty() {
    return this.#entries.size === 0;
  }

  /** Id of the last reply seen; reply ids grow with time. */
  get lastReply() {
    return this.#lastReply;
  }

  /** Messages the host has not answered for, oldest first. */
  get waiting() {
    return [...this.#entries.values()].filter((entry) => entry.kind === 'own' && entry.status === 'sending');
  }

  /** @param {string} text */
  say(text) {
    this.#put({ kind: 'own', id: randomId(), text, at: Date.now(), status: 'sending' });
  }

  /** @param {string} id @param {{ status: OwnEntry['status'], reason?: string, again?: boolean }} verdict */
  settle(id, { status, reason, again }) {
    const entry = this.#entries.get(`own ${id}`);
    if (entry?.kind === 'own') this.#put({ ...entry, status, reason, again });
  }

  /** Whether the reply is one that was not here yet. @param {{ id: string, text: string, media?: unknown }} reply */
  hear({ id, text, media }) {
    if (id > this.#lastReply) this.#lastReply = id;
    if (this.#entries.has(`reply ${id}`)) return false;
    this.#put({ kind: 'reply', id, text, at: timeOf(id), ...(Array.isArray(media) && { media }) });
    return true;
  }

  /** An earlier reply says something else now; one that is not known any more stays so. @param {string} id @param {string} text */
  edit(id, text) {
    const entry = this.#entries.get(`reply ${id}`);
    if (entry?.kind === 'reply' && entry.text !== text) this.#put({ ...entry, text, edited: true });
  }

  /** @param {string} id of a message of our own @param {string} emoji */
  react(id, emoji) {
    const entry = this.#entries.get(`own ${id}`);
    if (entry?.kind !== 'own' || entry.reactions?.includes(emoji)) return;
    this.#put({ ...entry, reactions: [...(entry.reactions ?? []), emoji].slice(-MOST_REACTIONS) });
  }

  /** The host had more than it could send: what follows `after` has not been seen. @param {string} after */
  resumeAfter(after) {
    this.#lastReply = after;
    this.#save(after);
  }

  forget() {
    this.#storage.removeItem(this.#key);
  }

  /** @param {Entry} entry */
  #put(entry) {
    this.#take(entry);
    this.#save();
  }

  /** What is new here, or known elsewhere to be settled; a message counts as sending only while nobody knows better. @param {Entry} entry */
  #merge(entry) {
    const known = this.#entries.get(`${entry.kind} ${entry.id}`);
    const settlesOurs = known?.kind === 'own' && known.status === 'sending' && entry.kind === 'own' && entry.status !== 'sending' && !entry.again;
    if (!known || settlesOurs) this.#take(entry);
  }

  /** @param {Entry} entry */
  #take(entry) {
    const key = `${entry.kind} ${entry.id}`;
    const known = this.#entries.get(key);
    if (known && JSON.stringify(known) === JSON.stringify(entry)) return;
    this.#entries.set(key, entry);
    this.#changed(entry);
  }

  /** @param {string} [lastReply] */
  #save(lastReply) {
    for (const entry of this.#stored().entries) this.#merge(entry); // another tab may have written since
    const entries = [...this.#entries.values()];
    for (let most = MOST_ENTRIES; most >= 1; most = Math.floor(most / 4)) {
      const kept = entries.filter((entry, index) => index >= entries.length - most || (entry.kind === 'own' && entry.status === 'sending'));
      try {
        this.#storage.setItem(this.#key, JSON.stringify({ entries: kept, lastReply: lastReply ?? this.#lastReply }));
        return;
      } catch {
        continue; // the storage is full: keep less
      }
    }
  }

  /** @returns {Content} */
  #stored() {
    try {
      const content = JSON.parse(this.#storage.getItem(this.#key) ?? '{}');
      return { entries: Array.isArray(content.entries) ? content.entries : [], lastReply: String(content.lastReply ?? '') };
    } catch {
      return { entries: [], lastReply: '' }; // not ours, or cut short
    }
  }
}

/** The host's ids are UUIDv7 (RFC 9562): their first 48 bits are the time in milliseconds. @param {string} id */
function timeOf(id) {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-7/.test(id) ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : Date.now();
}
