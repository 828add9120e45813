// What the page shows. Text is only ever put in as text; nothing a message holds is read as markup.

import { mediaElements } from './media.js';

/** @typedef {import('./transcript.js').Entry} Entry */

/** @template {Element} E @param {string} id @returns {E} */
const byId = (id) => /** @type {E} */ (/** @type {unknown} */ (document.getElementById(id)));

const TYPING_MS = 8000;
const NEAR_THE_END_PX = 80;
const TITLE = document.title;

const timeFormat = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });

const STATES = { connecting: 'Connecting…', open: 'Connected', waiting: 'Not connected. Trying again…', closed: 'Closed', uninvited: 'Not invited yet' };

export class View {
  #log = /** @type {HTMLElement} */ (byId('log'));
  #messages = /** @type {HTMLElement} */ (byId('messages'));
  #welcome = /** @type {HTMLElement} */ (byId('welcome'));
  #typing = /** @type {HTMLElement} */ (byId('typing'));
  #toEnd = /** @type {HTMLElement} */ (byId('to-end'));
  #status = /** @type {HTMLElement} */ (byId('status'));
  /** @type {Map<string, { item: HTMLElement, bubble: HTMLElement, files: HTMLElement, note: HTMLElement }>} */ #shown = new Map();
  #lastDay = '';
  #typingTimer = 0;
  /** Whether the end of the conversation is in sight, and is to stay there. */
  #atEnd = true;
  #unread = 0;
  #tryAgain;

  /** @param {{ tryAgain: (id: string) => void }} hooks */
  constructor({ tryAgain }) {
    this.#tryAgain = tryAgain;
    this.#log.addEventListener('scroll', () => this.#look(), { passive: true });
    this.#toEnd.addEventListener('click', () => this.#scrollToEnd());
    document.addEventListener('visibilitychange', () => document.hidden || this.#readAll());
    // The keyboard of a phone takes half the screen, a long message makes the box grow.
    new ResizeObserver(() => this.#atEnd && this.#scrollToEnd()).observe(this.#log);
  }

  /** From now on screen readers hear what is added; what was there before is not read out again. @param {boolean} isEmpty */
  ready(isEmpty) {
    this.#welcome.hidden = !isEmpty;
    this.#scrollToEnd();
    setTimeout(() => this.#log.setAttribute('aria-live', 'polite'), 500);
  }

  /** @param {'connecting' | 'open' | 'waiting' | 'closed' | 'uninvited'} state */
  status(state) {
    if (this.#status.dataset.state === state && this.#status.textContent === STATES[state]) return;
    this.#status.dataset.state = state;
    this.#status.textContent = STATES[state];
  }

  /** Adds an entry, or shows what has become of it. @param {Entry} entry */
  show(entry) {
    const key = `${entry.kind} ${entry.id}`;
    const isNew = !this.#shown.has(key);
    const wasAtEnd = this.#look();
    const { item, bubble, files, note } = this.#itemFor(key, entry.kind, entry.at);
    item.classList.remove('unfinished');
    if (entry.kind === 'own') item.dataset.status = entry.status;
    if (bubble.textContent !== entry.text) bubble.textContent = entry.text;
    if (entry.kind === 'reply' && files.childElementCount === 0) files.append(...mediaElements(entry.media));
    note.replaceChildren(...this.#noteOn(entry));
    if (entry.kind === 'reply') this.typing(false);
    if (wasAtEnd || (isNew && entry.kind === 'own')) this.#scrollToEnd();
    else if (isNew) this.#toEnd.hidden = false;
  }

  /** A piece of a reply that is still being written; the whole of it comes as an entry of the same id. @param {string} id @param {string} text */
  delta(id, text) {
    const key = `reply ${id}`;
    const isNew = !this.#shown.has(key);
    const wasAtEnd = this.#look();
    const { item, bubble } = this.#itemFor(key, 'reply', Date.now());
    if (isNew) item.classList.add('unfinished');
    else if (!item.classList.contains('unfinished')) return;
    bubble.append(text);
    this.typing(false);
    if (wasAtEnd) this.#scrollToEnd();
  }

  /** What was being written is no reply after all. @param {string} id */
  withdraw(id) {
    const shown = this.#shown.get(`reply ${id}`);
    if (!shown?.item.classList.contains('unfinished')) return;
    shown.item.remove();
    this.#shown.delete(`reply ${id}`);
  }

  /** @param {boolean} isTyping */
  typing(isTyping) {
    clearTimeout(this.#typingTimer);
    const wasAtEnd = this.#look();
    this.#typing.hidden = !isTyping;
    if (isTyping) this.#typingTimer = setTimeout(() => this.typing(false), TYPING_MS);
    if (isTyping && wasAtEnd) this.#scrollToEnd();
  }

  /** A reply came while nobody looked. */
  unread() {
    if (!document.hidden) return;
    this.#unread += 1;
    document.title = `(${this.#unread}) ${TITLE}`;
  }

  #readAll() {
    this.#unread = 0;
    document.title = TITLE;
  }

  /** @param {string} key @param {Entry['kind']} kind @param {number} at */
  #itemFor(key, kind, at) {
    const known = this.#shown.get(key);
    if (known) return known;
    this.#welcome.hidden = true;
    const day = dayFormat.format(at);
    if (day !== this.#lastDay) this.#messages.append(element('li', 'day', day));
    this.#lastDay = day;

    const made = { item: element('li', `entry ${kind}`, ''), bubble: element('div', 'bubble', ''), files: element('div', 'files', ''), note: element('p', 'note', '') };
    made.bubble.dir = 'auto';
    // What becomes of a message changes often and is not read out each time; a refusal is, see below.
    made.note.setAttribute('aria-live', 'off');
    made.item.append(element('span', 'unseen', kind === 'own' ? 'You: ' : 'Reply: '), made.bubble, made.files, made.note);
    this.#messages.append(made.item);
    this.#shown.set(key, made);
    return made;
  }

  /** @param {Entry} entry */
  #noteOn(entry) {
    const time = document.createElement('time');
    time.dateTime = new Date(entry.at).toISOString();
    time.textContent = timeFormat.format(entry.at);
    if (entry.kind === 'reply') return entry.edited ? [element('span', 'edited', 'edited'), time] : [time];

    const verdict = element('span', 'verdict', verdictOn(entry));
    const reactions = (entry.reactions ?? []).map((emoji) => element('span', 'reaction', emoji));
    if (entry.status !== 'denied') return [...reactions, verdict, time];
    verdict.setAttribute('role', 'alert');
    if (!entry.again) return [verdict, time];
    const again = element('button', 'again', 'Try again');
    again.setAttribute('type', 'button');
    again.addEventListener('click', () => this.#tryAgain(entry.id));
    return [verdict, again, time];
  }

  /** Whether the end is in sight. */
  #look() {
    this.#atEnd = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < NEAR_THE_END_PX;
    if (this.#atEnd) this.#toEnd.hidden = true;
    return this.#atEnd;
  }

  #scrollToEnd() {
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#atEnd = true;
    this.#toEnd.hidden = true;
  }
}

/** @param {Extract<Entry, { kind: 'own' }>} entry */
function verdictOn({ status, reason, again }) {
  switch (status) {
    case 'sending':
      return reason ? `Not accepted yet (${reason}) Trying again…` : 'Sending…';
    case 'accepted':
      return '✓ Accepted';
    case 'held':
      return 'Held until a check is available again';
    default:
      return `✕ ${again ? 'Not accepted' : 'Refused'}: ${reason ?? 'no reason was given'}`;
  }
}

/** @param {string} name @param {string} className @param {string} text */
function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}
