// The host's own log: pino on stderr, JSON lines, constant text with data in fields. Message text, tokens and payloads never enter it.
import { pino, type Logger } from 'pino';

export type Log = Logger;

/** One logger for the process; stdout stays free for data. `destination` is a file descriptor, 2 unless told otherwise. */
export function createLog(level: 'debug' | 'info' | 'warn' | 'error', destination = 2): Log {
  return pino({ level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime, redact: ['authorization', '*.authorization', 'token', '*.token', 'secret', '*.secret'] }, pino.destination({ dest: destination, sync: true }));
}
