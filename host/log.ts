// The host's own log: pino on stderr, JSON lines, constant text with data in fields. Message text, tokens and payloads never enter it.
import { pino, type DestinationStream, type Logger } from 'pino';
import { maskedLine } from './log-redaction.ts';
import { doing } from './tracing.ts';

export type Log = Logger;

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Fields that hold a credential under whatever they stand, also where no pattern would know it. */
const SECRET_FIELDS = ['authorization', 'cookie', 'set-cookie', 'token', 'secret', 'password', 'privateKey'];

/**
 * One logger for the process; stdout stays free for data. `destination` is a file descriptor, 2 unless told otherwise, or a stream. Lines carry the ids of what the
 * host is doing as they are written: `requestId`, `messageId`, `instance`, `callId`, and where its way is sampled `traceId` and `spanId`.
 */
export function createLog(level: LogLevel, destination: number | DestinationStream = 2): Log {
  const options = {
    level,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: SECRET_FIELDS.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`]),
    mixin: idsOf,
    hooks: { streamWrite: maskedLine },
  };
  return pino(options, typeof destination === 'number' ? pino.destination({ dest: destination, sync: true }) : destination);
}

function idsOf(): Record<string, string> {
  const now = doing();
  if (!now) return {};
  const { requestId, messageId, instance, callId, span } = now;
  return {
    ...(requestId !== undefined && { requestId }),
    ...(messageId !== undefined && { messageId }),
    ...(instance !== undefined && { instance }),
    ...(callId !== undefined && { callId }),
    ...(span && { traceId: span.traceId, spanId: span.spanId }),
  };
}
