// Opens the log of a data directory, with its key, and tells the home whose signatures count. host.ts calls it right after the store; so does the command that releases offline.
import { toTimestamp } from '../../clock.ts';
import type { ResolvedConfig } from '../../config.ts';
import type { Log } from '../../log.ts';
import { AuditLog, type AuditLogParts } from './audit-log.ts';
import { logTrustFile, openLogKey, publishLogKey } from './log-key.ts';

export interface OpenLogParts extends Omit<AuditLogParts, 'key'> {
  readonly config: Pick<ResolvedConfig, 'dataDir' | 'manifestsDir'>;
  readonly log?: Log;
  /** Told of log.json before it is written, so that the watcher takes it for nobody's change. */
  readonly onWriting?: (path: string, text: string) => void;
}

/** Throws KEY_FILE, AUDIT_BROKEN, and what the store throws. A home that cannot be written is only warned of: the public half is in every export too. */
export async function openAuditLog({ config, log, onWriting, ...parts }: OpenLogParts): Promise<AuditLog> {
  const key = await openLogKey(config.dataDir);
  const audit = await AuditLog.open({ ...parts, key });
  const file = logTrustFile(config.manifestsDir);
  const problem = await publishLogKey(key, { file, since: toTimestamp(parts.clock.now()), onWriting });
  if (problem !== undefined) log?.warn({ file, keyid: key.keyid, problem }, 'the public key of the audit log could not be written into the home');
  return audit;
}
