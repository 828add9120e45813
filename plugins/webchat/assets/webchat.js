// The chat page: joins what was said (transcript), the socket (connection) and the screen (view). The protocol is in the plugin's README.
import { Access } from './access.js';
import { Connection } from './connection.js';
import { openStorage, randomId, Transcript } from './transcript.js';
import { View } from './view.js';

/** The host's bound on a message, in bytes of UTF-8. */
const MOST_TEXT_BYTES = 64 * 1024;
/** Messages sent and not yet answered for; the host takes a few dozen at a time from one socket. */
const MOST_IN_FLIGHT = 16;
/** No answer for so long means that the connection only looks alive. */
const ANSWER_WITHIN_MS = 20_000;
/** How often a message that was refused for the moment is sent again before the person is asked. */
const MOST_RETRIES = 4;

const storage = openStorage();
/** Each instance of the channel has a page and conversations of its own. */
const prefix = `gatehouse:${new URL('.', document.baseURI).pathname}`;
const conversation = storage.getItem(`${prefix}:conversation`) ?? randomId();
storage.setItem(`${prefix}:conversation`, conversation);

/** Ids sent over the present connection and not answered for. @type {Set<string>} */
const inFlight = new Set();
/** Ids that wait before they are sent again, with the number of tries so far. @type {Map<string, number>} */
const retries = new Map();
/** @type {Set<string>} */
const resting = new Set();
let answerTimer = 0;

const view = new View({
  tryAgain(id) {
    retries.delete(id);
    transcript.settle(id, { status: 'sending' });
    sendWaiting();
  },
});
const transcriptKey = `${prefix}:${conversation}:transcript`;
const transcript = new Transcript(storage, transcriptKey, (entry) => view.show(entry));
view.ready(transcript.isEmpty);

const access = new Access(conversation, () => connection.restart());
await access.useLink();

const connection = new Connection(socketUrl, {
  onRefused() {
    void access.isNeeded().then((needed) => {
      if (!needed) return;
      connection.rest();
      view.status('uninvited');
    });
  },
  onState(state) {
    view.status(state);
    inFlight.clear();
    clearTimeout(answerTimer);
    if (state === 'open') sendWaiting();
    else view.typing(false);
  },
  onFrame(frame) {
    const { type, id, text, after, media } = frame;
    if (type === 'ack') onAck(frame);
    else if (type === 'message') {
      if (transcript.hear({ id: String(id), text: String(text), media })) view.unread();
    } else if (type === 'delta') view.delta(String(id), String(text));
    else if (type === 'withdrawn') view.withdraw(String(id));
    else if (type === 'edit') transcript.edit(String(id), String(text));
    else if (type === 'reaction') transcript.react(String(frame.to), String(frame.emoji));
    else if (type === 'typing') view.typing(true);
    else if (type === 'more') {
      transcript.resumeAfter(String(after));
      connection.restart();
    } else if (type === 'error') onError(frame);
  },
});

function socketUrl() {
  const url = new URL('ws', document.baseURI);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  url.searchParams.set('conversation', conversation);
  if (transcript.lastReply !== '') url.searchParams.set('after', transcript.lastReply);
  return url.href;
}

/** Sends what the host has not answered for, in order, a few at a time. Sending twice is safe: the host knows a message by its id. */
function sendWaiting() {
  for (const { id, text } of transcript.waiting) {
    if (inFlight.size >= MOST_IN_FLIGHT) break;
    if (inFlight.has(id)) continue;
    if (resting.has(id)) break; // what was written later waits with it: the order is the person's
    if (!connection.send({ type: 'message', id, text })) return;
    inFlight.add(id);
  }
  clearTimeout(answerTimer);
  if (inFlight.size > 0) answerTimer = setTimeout(() => connection.restart(), ANSWER_WITHIN_MS);
}

/** @param {Record<string, unknown>} ack */
function onAck({ id, status, reason, retryAfterMs }) {
  const name = String(id);
  inFlight.delete(name);
  const why = typeof reason === 'string' ? reason : undefined;
  if (status === 'ignored') transcript.settle(name, { status: 'denied', reason: why });
  else if (status !== 'denied') transcript.settle(name, { status: status === 'held' ? 'held' : 'accepted' });
  else if (typeof retryAfterMs === 'number') later(name, why, retryAfterMs);
  else transcript.settle(name, { status: 'denied', reason: why });
  sendWaiting();
}

/** Refused for the moment: tries again by itself a few times, then leaves it to the person. @param {string} id @param {string | undefined} reason @param {number} waitMs */
function later(id, reason, waitMs) {
  const tries = (retries.get(id) ?? 0) + 1;
  retries.set(id, tries);
  if (tries > MOST_RETRIES) {
    transcript.settle(id, { status: 'denied', reason, again: true });
    return;
  }
  transcript.settle(id, { status: 'sending', reason });
  resting.add(id);
  setTimeout(() => {
    resting.delete(id);
    sendWaiting();
  }, waitMs * 2 ** (tries - 1));
}

/** @param {Record<string, unknown>} error */
function onError({ id, code, message }) {
  const reason = `${message} (${code})`;
  if (typeof id === 'string') {
    inFlight.delete(id);
    transcript.settle(id, { status: 'denied', reason });
    sendWaiting();
  } else if (code === 'CONVERSATION_INVALID') {
    connection.end();
    view.status('closed');
  } else {
    // The host could not take what was sent; it does not say which, so all that waits is sent again a little later.
    for (const each of inFlight) later(each, reason, 1000);
    inFlight.clear();
  }
}

// --- Writing ---------------------------------------------------------------------------------------------------------------------------------------

const composer = /** @type {HTMLFormElement} */ (document.getElementById('composer'));
const input = /** @type {HTMLTextAreaElement} */ (document.getElementById('text'));
const sendButton = /** @type {HTMLButtonElement} */ (document.getElementById('send'));
const problem = /** @type {HTMLElement} */ (document.getElementById('problem'));
const isTouch = matchMedia('(pointer: coarse)').matches;

function say(/** @type {string} */ text) {
  const bytes = new TextEncoder().encode(text).length;
  problem.hidden = bytes <= MOST_TEXT_BYTES;
  if (bytes > MOST_TEXT_BYTES) {
    problem.textContent = `This message is too long: it has ${bytes.toLocaleString()} bytes, and ${MOST_TEXT_BYTES.toLocaleString()} are the most.`;
    return false;
  }
  transcript.say(text);
  sendWaiting();
  return true;
}

function fitInput() {
  sendButton.disabled = input.value.trim() === '';
  input.style.height = 'auto';
  input.style.height = `${input.scrollHeight + 2}px`;
}

composer.addEventListener('submit', (event) => {
  event.preventDefault();
  const text = input.value.trim();
  if (text === '' || !say(text)) return;
  input.value = '';
  fitInput();
  input.focus();
});
input.addEventListener('input', () => {
  problem.hidden = true;
  fitInput();
});
input.addEventListener('keydown', (event) => {
  // On a phone Enter makes a new line, and so it does while a word is being composed.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing || isTouch) return;
  event.preventDefault();
  composer.requestSubmit();
});
for (const button of document.querySelectorAll('[data-say]')) {
  button.addEventListener('click', () => {
    say(button.getAttribute('data-say') ?? '');
    input.focus();
  });
}

// --- Starting over, and other tabs -----------------------------------------------------------------------------------------------------------------

const confirmNew = /** @type {HTMLDialogElement} */ (document.getElementById('confirm-new'));
const lossOfUnsent = /** @type {HTMLElement} */ (document.getElementById('confirm-unsent'));

document.getElementById('new-conversation')?.addEventListener('click', () => {
  if (transcript.isEmpty) return input.focus();
  const unsent = transcript.waiting.length;
  lossOfUnsent.textContent = unsent === 1 ? 'One message has not been accepted yet and would be lost.' : `${unsent} messages have not been accepted yet and would be lost.`;
  lossOfUnsent.hidden = unsent === 0;
  confirmNew.showModal();
});
confirmNew.addEventListener('close', () => {
  if (confirmNew.returnValue === 'new') {
    connection.end();
    transcript.forget();
    storage.setItem(`${prefix}:conversation`, randomId());
    location.reload();
  } else input.focus();
});
addEventListener('hashchange', () => void access.useLink().then((granted) => granted && connection.restart()));
addEventListener('storage', ({ key }) => {
  if (key === transcriptKey) transcript.reload();
  if (key === `${prefix}:conversation` && storage.getItem(key) !== conversation) location.reload();
});

fitInput();
if (!isTouch) input.focus();
