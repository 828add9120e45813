// The process side of a sandbox: one isolate, frames on fd 3, one timed slice of plugin code per frame. Started by ../confinement.ts, spoken to by ../sandbox-process.ts.
//
// Plain JavaScript: type stripping is WebAssembly and does not run under --jitless. Nothing else lives in this process, so it reads, runs and writes
// synchronously: no event loop to starve, one read and one write for as many frames as wait, and end-of-file is noticed at once. Without a JIT every call
// counts; where something looks less than obvious (DataView, typed arrays), it was measured.
'use strict';

const fs = require('node:fs');
const { bootstrap } = require('./prelude.js');

/** @typedef {typeof import('isolated-vm')} IsolatedVm */
/** @typedef {import('../../../schemas/sandbox-protocol.ts').HostFrame} HostFrame */
/** @typedef {Extract<HostFrame, { t: 'load' }>} LoadFrame */

const FRAMES_FD = 3;
/** A file of eight bytes that the host reads after this process died: which frame was running. A write there costs half a microsecond. */
const PROGRESS_FD = 4;
const FRAME_TO_CHILD_BYTES = 16 * 1024 * 1024;
const FRAME_FROM_CHILD_BYTES = 1024 * 1024;
const INBOX_BYTES = 256 * 1024;
const FLUSH_BYTES = 256 * 1024;
/** Replies wait for no more than this much work that comes after them: the host works on them meanwhile. */
const FLUSH_CPU_US = 200;

// The host ends sandboxes; a Ctrl-C in its terminal must not end them first. No event loop turns here, so the handlers never run: being installed is enough.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

// --- Frames in -------------------------------------------------------------------------------------------------------------------------------------

let inbox = Buffer.allocUnsafeSlow(INBOX_BYTES);
let inboxView = new DataView(inbox.buffer);
let inboxStart = 0;
let inboxEnd = 0;

/** The text of the next frame. Blocks; whatever was written goes out first. */
function nextFrame() {
  receive(4);
  const length = inboxView.getUint32(inboxStart, true);
  if (length > FRAME_TO_CHILD_BYTES) die();
  receive(4 + length);
  const from = inboxStart + 4;
  inboxStart = from + length;
  return inbox.toString('utf8', from, inboxStart);
}

/** @param {number} bytes how many must be in the inbox before this returns */
function receive(bytes) {
  if (inboxEnd - inboxStart >= bytes) return;
  flush();
  if (inboxStart === inboxEnd) inboxStart = inboxEnd = 0;
  if (inboxStart + bytes > inbox.length) {
    const before = inbox;
    if (bytes > inbox.length) useInbox(bytes);
    before.copy(inbox, 0, inboxStart, inboxEnd);
    inboxEnd -= inboxStart;
    inboxStart = 0;
  } else if (inboxEnd === 0 && inbox.length > INBOX_BYTES) {
    useInbox(INBOX_BYTES); // a large frame is over; give its memory back
  }
  while (inboxEnd - inboxStart < bytes) {
    const count = fs.readSync(FRAMES_FD, inbox, inboxEnd, inbox.length - inboxEnd, null);
    if (count === 0) die(); // the host is gone
    inboxEnd += count;
  }
}

/** @param {number} bytes */
function useInbox(bytes) {
  inbox = Buffer.allocUnsafeSlow(bytes);
  inboxView = new DataView(inbox.buffer);
}

// --- Frames out ------------------------------------------------------------------------------------------------------------------------------------

let outbox = Buffer.allocUnsafeSlow(FLUSH_BYTES);
let outboxView = new DataView(outbox.buffer);
let outboxEnd = 0;
let cpuSinceFlushUs = 0;

/** @param {string} text one JSON value */
function put(text) {
  const most = 4 + text.length * 3;
  if (outboxEnd + most > outbox.length) {
    flush();
    if (most > outbox.length) {
      outbox = Buffer.allocUnsafeSlow(most);
      outboxView = new DataView(outbox.buffer);
    }
  }
  const length = outbox.write(text, outboxEnd + 4);
  outboxView.setUint32(outboxEnd, length, true);
  outboxEnd += 4 + length;
}

/** Writes until all is written; blocking is the back-pressure. */
function flush() {
  let written = 0;
  while (written < outboxEnd) written += fs.writeSync(FRAMES_FD, outbox, written, outboxEnd - written);
  outboxEnd = 0;
  cpuSinceFlushUs = 0;
}

/**
 * Never process.exit: tearing an isolate down after out-of-memory can crash or hang.
 * The first process of a namespace does not take its own SIGKILL; it ends by abort, whose last resort is a fault that no process survives.
 * @returns {never}
 */
function die() {
  process.kill(process.pid, 'SIGKILL');
  return process.abort();
}

/** @param {'memory' | 'crash'} cause @param {string} reason @returns {never} */
function dieSaying(cause, reason) {
  put(JSON.stringify({ t: 'fatal', cause, reason: reason.slice(0, 500) }));
  flush();
  return die();
}

// --- Accounts --------------------------------------------------------------------------------------------------------------------------------------

let cpuTotalUs = 0;

/** Process CPU since the last time this was asked, so that the sum of all slices is all the process used. */
function takeCpuUs() {
  const { user, system } = process.cpuUsage();
  const spent = user + system - cpuTotalUs;
  cpuTotalUs += spent;
  return spent;
}

const progress = new Float64Array(1);
let frames = 0;

/** Unsent replies die with this process; without this note the host would blame a call whose slice had long ended. */
function noteProgress() {
  frames += 1;
  if (outboxEnd === 0) return;
  progress[0] = frames;
  fs.writeSync(PROGRESS_FD, progress, 0, 8, 0);
}

// --- The isolate -----------------------------------------------------------------------------------------------------------------------------------

let posts = '';

/** What the plugin posts, as JSON made by the bootstrap inside the isolate. A sync callback: a flood pays for itself. @param {string} text */
function onPost(text) {
  if ((posts.length + text.length) * 3 > FRAME_FROM_CHILD_BYTES - 256) sendPosts();
  posts = posts === '' ? text : `${posts},${text}`;
}

/** A slice may post more than one frame holds; no single post does. */
function sendPosts() {
  if (posts === '') return;
  put(`{"t":"posts","posts":[${posts}]}`);
  posts = '';
}

/** @param {unknown} thrown anything: isolated-vm has thrown strings and null */
function problemOf(thrown) {
  const message = thrown !== null && typeof thrown === 'object' && 'message' in thrown ? thrown.message : thrown;
  return typeof message === 'string' ? message.slice(0, 500) : 'an unknown error';
}

/**
 * What a piece of plugin code came to that threw or was stopped. A rejection that surfaces here may belong to any call: it is told as `late`, never taken for a reply.
 * @param {import('isolated-vm').Isolate} isolate @param {unknown} thrown @param {number} limitMs @param {number} beganAt
 * @returns {'late' | 'timeout'}
 */
function judge(isolate, thrown, limitMs, beganAt) {
  const problem = problemOf(thrown);
  if (isolate.isDisposed) dieSaying('memory', problem);
  // A plugin can reject with this very text; it cannot make time pass without using it.
  if (limitMs > 0 && problem.startsWith('Script execution timed out') && performance.now() - beganAt >= limitMs - 1) return 'timeout';
  put(JSON.stringify({ t: 'late', message: problem }));
  return 'late';
}

/** @param {string} text @returns {LoadFrame} */
function readLoad(text) {
  /** @type {HostFrame} */
  const frame = JSON.parse(text);
  if (frame.t !== 'load') throw new TypeError(`the first frame is '${frame.t}', not 'load'`);
  return frame;
}

function main() {
  const modulePath = process.argv[2];
  if (modulePath === undefined) throw new TypeError('no path to isolated-vm');
  /** @type {IsolatedVm} */
  const ivm = require(modulePath);
  put('{"t":"ready"}');

  const load = readLoad(nextFrame());
  takeCpuUs();
  const isolate = new ivm.Isolate({ memoryLimit: load.heapMb });
  const context = isolate.createContextSync();
  const bridge = context.evalClosureSync(`return (${String(bootstrap)})($0, $1)`, [new ivm.Callback(onPost, { sync: true }), JSON.stringify({ ...load, source: '' })], {
    filename: 'gatehouse:bootstrap',
    result: { reference: true },
  });
  const loadPlugin = bridge.getSync('load', { reference: true });
  const receiveFrame = bridge.getSync('receive', { reference: true });

  put(loadAnswer(isolate, () => loadPlugin.applySync(undefined, [load.source], { timeout: load.loadMs, result: { copy: true } }), load.loadMs));

  // A timer of isolated-vm costs as much as a trivial call. Where the host can see this process's CPU it watches slices itself and asks for none.
  const limitMs = load.sliceMs;
  const options = limitMs > 0 ? { timeout: limitMs } : undefined;
  for (;;) {
    const text = nextFrame();
    noteProgress();
    const beganAt = options === undefined ? 0 : performance.now();
    /** @type {'slice' | 'timeout'} */
    let answer = 'slice';
    try {
      receiveFrame.applySync(undefined, [text], options);
    } catch (thrown) {
      if (judge(isolate, thrown, limitMs, beganAt) === 'timeout') answer = 'timeout';
    }
    const cpuUs = takeCpuUs();
    put(`{"t":"${answer}","cpuUs":${cpuUs},"posts":[${posts}]}`);
    posts = '';
    cpuSinceFlushUs += cpuUs;
    if (cpuSinceFlushUs > FLUSH_CPU_US || outboxEnd > FLUSH_BYTES / 2 || answer === 'timeout') flush();
  }
}

/** Runs the top level of the plugin and says what came of it. @param {import('isolated-vm').Isolate} isolate @param {() => unknown} run @param {number} limitMs */
function loadAnswer(isolate, run, limitMs) {
  const beganAt = performance.now();
  try {
    const answer = String(run()); // `{"handlers":[…]}` or `{"reason":"…"}`, made by the bootstrap
    return `{"t":"${answer.startsWith('{"handlers"') ? 'loaded' : 'load-failed'}",${answer.slice(1, -1)},"cpuUs":${takeCpuUs()}}`;
  } catch (thrown) {
    if (judge(isolate, thrown, limitMs, beganAt) === 'timeout') return `{"t":"timeout","cpuUs":${takeCpuUs()},"posts":[]}`;
    return `{"t":"load-failed","reason":"a promise was rejected at the top level and nobody handled it","cpuUs":${takeCpuUs()}}`;
  }
}

try {
  main();
} catch (thrown) {
  dieSaying('crash', problemOf(thrown));
}
