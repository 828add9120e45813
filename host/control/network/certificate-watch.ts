// Certificates that are renewed while the host runs: their files are looked at every few seconds, and what is new and sound is shown from then on. Owned by server.ts.
import { statSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Clock } from '../../clock.ts';
import { problemOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { certificateFiles, readCertificates, type Certificates } from '../../network/certificates.ts';
import type { NetworkPolicy } from '../../network/policy.ts';
import { Server as TlsServer } from 'node:https';

/** Polled: what renews certificates moves links about, over file systems that tell nobody. */
const LOOK_EVERY_MS = 2000;

export interface CertificateWatch extends Disposable {
  readonly current: Certificates;
  /** From now on this server shows what is current. */
  follow(server: Server): void;
}

/** Undefined where the host speaks no TLS. Throws as `readCertificates` does. */
export function watchCertificates(policy: NetworkPolicy, clock: Clock, log: Log): CertificateWatch | undefined {
  const files = certificateFiles(policy);
  let seen = signatureOf(files);
  let current = readCertificates(policy, clock.now());
  if (!current) return undefined;
  const first = current;
  const servers: TlsServer[] = [];

  const look = () => {
    const signature = signatureOf(files);
    if (signature === seen) return;
    // Before it is read: what is written meanwhile is another change.
    seen = signature;
    try {
      current = readCertificates(policy, clock.now()) ?? first;
    } catch (thrown) {
      // Half a pair may be there already; the other half is the next change.
      log.error({ problem: problemOf(thrown) }, 'a changed certificate is not taken up; the one before it stays');
      return;
    }
    for (const server of servers) {
      server.setSecureContext(current.context);
      // Whose certificate counted under the old list may have none that counts under the new one.
      if (policy.mtls) server.closeAllConnections();
    }
    log.info({ subject: current.leaf.subject, notAfter: current.leaf.validToDate.toISOString() }, 'certificates taken up');
  };
  const timer = setInterval(look, LOOK_EVERY_MS).unref();

  return {
    get current() {
      return current ?? first;
    },
    follow(server) {
      if (server instanceof TlsServer) servers.push(server);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

/** What a file is and when it was written, through links; 'gone' where there is none. */
const signatureOf = (files: readonly string[]): string =>
  files.map((file) => {
    const stat = statSync(file, { throwIfNoEntry: false });
    return stat ? `${stat.ino}.${stat.mtimeMs}.${stat.size}.${stat.mode}` : 'gone';
  }).join(' ');
