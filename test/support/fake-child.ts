// A sandbox process taken over by somebody else: speaks whatever it likes on fd 3 while the host believes it to be a sandbox.
import { systemClock } from '../../host/clock.ts';
import { ConfinedProcess } from '../../host/sandbox/confined-process.ts';
import { loadSandbox } from '../../host/sandbox/sandbox-process.ts';
import { Watchdog } from '../../host/sandbox/watchdog.ts';
import { aSpec, recordingHooks, type OpenSandbox, type Serve, type SpecOptions } from './sandboxes.ts';

/** In scope of a script: `send(json)`, `raw(bytes)`, `frame(text)`, `onFrame(listener)`, `answer(frame, value)`. */
export const FAKE_PRELUDE = `
const fs = require('node:fs');
const frame = (text) => { const body = Buffer.from(text); const head = Buffer.alloc(4); head.writeUInt32LE(body.length); return Buffer.concat([head, body]); };
const raw = (bytes) => { let sent = 0; while (sent < bytes.length) sent += fs.writeSync(3, bytes, sent); };
const send = (value) => raw(frame(JSON.stringify(value)));
const slice = (...posts) => send({ t: 'slice', cpuUs: 10, posts });
const answer = ({ call, input }, value = input) => slice({ t: 'result', call, ok: true, value });
let buffered = Buffer.alloc(0);
const next = () => { for (;;) {
  if (buffered.length >= 4 && buffered.length >= 4 + buffered.readUInt32LE(0)) { const end = 4 + buffered.readUInt32LE(0); const text = buffered.toString('utf8', 4, end); buffered = buffered.subarray(end); return JSON.parse(text); }
  const chunk = Buffer.alloc(65536); const count = fs.readSync(3, chunk, 0, chunk.length, null); if (count === 0) process.kill(process.pid, 'SIGKILL');
  buffered = Buffer.concat([buffered, chunk.subarray(0, count)]);
} };
const ready = () => send({ t: 'ready' });
const loaded = () => { next(); send({ t: 'loaded', handlers: ['call'], cpuUs: 1000 }); };
`;

/** Starts a process that runs only `script`. */
export function startFake(script: string): Promise<ConfinedProcess> {
  return ConfinedProcess.start({ file: process.execPath, args: ['-e', `${FAKE_PRELUDE}\n${script}`], env: {}, forks: false });
}

/** A sandbox whose process has loaded as it should and then runs `script`. */
export async function openFake(script: string, { serve, ...options }: SpecOptions & { readonly serve?: Serve } = {}): Promise<OpenSandbox> {
  const hooks = recordingHooks(serve);
  const process = await startFake(`ready(); loaded(); ${script}`);
  const watchdog = new Watchdog(systemClock);
  const sandbox = await loadSandbox({ process, level: 'fake', spec: aSpec(options), hooks, clock: systemClock, watchdog });
  return { sandbox, hooks, [Symbol.asyncDispose]: () => sandbox.stop(0) };
}
