// Certificates that are renewed while the host runs: their files are looked at every few seconds, and what is new and sound is shown from then on. Owned by server.ts.
import { statSync } from 'node:fs';
import type { Server } from 'node:http';
import { Server as TlsServer } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../clock.ts';
import { problemOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { certificateFiles, readCertificates, type Certificates } from '../../network/certificates.ts';
import type { NetworkPolicy } from '../../network/policy.ts';

/** Polled: what renews certificates moves links about, over file systems that tell nobody. */
const LOOK_EVERY_MS = 2000;

/** How long those on a connection that ends because certificates changed may take to say goodbye. */
const GOODBYE_MS = 1000;

export interface CertificateWatch extends Disposable {
  readonly current: Certificates;
  /** From now on this server shows what is current. Where peers show certificates too, a change ends every connection; `endSockets` is asked to tell those that became WebSockets. */
  follow(server: Server, endSockets: () => void): void;
}

/** Undefined where the host speaks no TLS. Throws as `readCertificates` does. */
export function watchCertificates(policy: NetworkPolicy, clock: Clock, log: Log): CertificateWatch | undefined {
  const files = certificateFiles(policy);
  let seen = signatureOf(files);
  let current = readCertificates(policy, clock.now());
  if (!current) return undefined;
  const first = current;
  const followers: Follower[] = [];
  /** Why what stands in the files is not what is shown. */
  let refused: string | undefined;

  const look = () => {
    const signature = signatureOf(files);
    // What was refused once may count without any file changing: when it begins, or when somebody is let in to read it.
    if (signature === seen && refused === undefined) return;
    // Before it is read: what is written meanwhile is another change.
    seen = signature;
    try {
      const found = readCertificates(policy, clock.now()) ?? first;
      for (const { server } of followers) server.setSecureContext(found.context);
      current = found;
    } catch (thrown) {
      // Half a pair may be there already; the other half is the next change.
      const problem = problemOf(thrown);
      if (problem !== refused) log.error({ problem }, 'a changed certificate is not taken up; the one before it stays');
      refused = problem;
      return;
    }
    refused = undefined;
    // Whose certificate counted under the old list may have none that counts under the new one.
    if (policy.mtls) for (const follower of followers) endAll(follower);
    log.info({ subject: current.leaf.subject, notAfter: current.leaf.validToDate.toISOString() }, 'certificates taken up');
  };
  const timer = setInterval(look, LOOK_EVERY_MS).unref();

  return {
    get current() {
      return current ?? first;
    },
    follow(server, endSockets) {
      if (!(server instanceof TlsServer)) return;
      const connections = new Set<TLSSocket>();
      if (policy.mtls) {
        server.on('secureConnection', (socket) => {
          connections.add(socket);
          socket.once('close', () => connections.delete(socket));
        });
      }
      followers.push({ server, connections, endSockets });
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

interface Follower {
  readonly server: TlsServer;
  /** Those that peers showed their certificates on. The server forgets the ones that became WebSockets. */
  readonly connections: ReadonlySet<TLSSocket>;
  readonly endSockets: () => void;
}

/** Also an upgrade that is not decided yet ends: its certificate was judged by the old list. */
function endAll({ server, connections, endSockets }: Follower): void {
  const before = [...connections];
  server.closeAllConnections();
  endSockets();
  setTimeout(() => before.forEach((socket) => socket.destroy()), GOODBYE_MS).unref();
}

/** What each file is and when it was written, through links; why, where that cannot be told. Never throws: what is wrong with a file is for whoever reads it to say. */
const signatureOf = (files: readonly string[]): string =>
  files.map((file) => {
    try {
      const stat = statSync(file);
      return `${stat.ino}.${stat.mtimeMs}.${stat.size}.${stat.mode}`;
    } catch (thrown) {
      return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unknown';
    }
  }).join(' ');
