// The files of TLS and mTLS, read and held against what they must be. Asked before a start, at every change of the files, by `check`, `doctor` and the security audit.
import { constants, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { GatehouseError, problemOf } from '../errors.ts';
import type { NetworkPolicy } from './policy.ts';

export interface Certificates {
  /** For `tls.createSecureContext`. */
  readonly context: SecureContextOptions;
  /** What the host shows. */
  readonly leaf: X509Certificate;
}

/** Bits that a private key must not have: a group may share it, as service managers do, but not everybody. */
const NOT_FOR_ALL = 0o007;

/** Undefined where the host speaks no TLS. Throws CONFIG_UNSAFE for a file that cannot be read or is not what it must be, a key that everybody may read, a certificate that is not valid now. */
export function readCertificates({ tls, mtls }: Pick<NetworkPolicy, 'tls' | 'mtls'>, nowMs: number): Certificates | undefined {
  if (!tls) return undefined;
  const cert = readPem('network.tls.cert', tls.certFile);
  const key = readPem('network.tls.key', tls.keyFile);
  const mode = statSync(tls.keyFile).mode & 0o777;
  if ((mode & NOT_FOR_ALL) !== 0) throw unsafe(`everybody on this machine may use the TLS key ${tls.keyFile} (mode ${mode.toString(8).padStart(3, '0')})`, `chmod 600 ${tls.keyFile}`);
  const leaf = parsed('network.tls.cert', tls.certFile, () => new X509Certificate(cert));
  const isOwnKey = leaf.checkPrivateKey(parsed('network.tls.key', tls.keyFile, () => createPrivateKey(key)));
  if (!isOwnKey) throw unsafe(`the key ${tls.keyFile} does not belong to the first certificate of ${tls.certFile}`, 'Set network.tls.cert and network.tls.key to files of one pair; the own certificate comes first in its chain.');
  if (leaf.validToDate.getTime() <= nowMs) throw unsafe(`the certificate ${tls.certFile} ended ${leaf.validToDate.toISOString()}`, 'Renew it; a running host takes the new one up by itself.');
  if (leaf.validFromDate.getTime() > nowMs) throw unsafe(`the certificate ${tls.certFile} begins ${leaf.validFromDate.toISOString()}`, 'Wait, correct the clock of this machine, or use one that is valid now.');
  // No session is resumed: a certificate that was taken back meanwhile would be taken at the word it had. It belongs here, or a renewal would lose it.
  const peers = mtls ? { secureOptions: constants.SSL_OP_NO_TICKET,  ca: authorities(mtls.caFile), ...(mtls.crlFile === undefined ? {} : { crl: readPem('network.mtls.crl', mtls.crlFile) }) } : {};
  const context = { cert, key, minVersion: tls.minVersion, ...peers };
  // OpenSSL has the last word: a chain or a revocation list that only looks like one.
  parsed(mtls?.crlFile === undefined ? 'network.tls' : 'network.mtls.crl', mtls?.crlFile ?? tls.certFile, () => createSecureContext(context));
  return { context, leaf };
}

/** The files that `readCertificates` reads. */
export const certificateFiles = ({ tls, mtls }: Pick<NetworkPolicy, 'tls' | 'mtls'>): readonly string[] => (tls ? [tls.certFile, tls.keyFile, ...(mtls ? [mtls.caFile] : []), ...(mtls?.crlFile === undefined ? [] : [mtls.crlFile])] : []);

const DAY_MS = 24 * 3600 * 1000;

/** Whole days until a certificate ends; negative when it has. */
export const daysLeft = ({ validToDate }: X509Certificate, nowMs: number): number => Math.floor((validToDate.getTime() - nowMs) / DAY_MS);

function authorities(path: string): Buffer {
  const pem = readPem('network.mtls.ca', path);
  parsed('network.mtls.ca', path, () => new X509Certificate(pem));
  return pem;
}

function readPem(setting: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (thrown) {
    throw unsafe(`${setting} names ${path}, which cannot be read (${problemOf(thrown)})`, `Correct ${setting} in manifests/host.json, or let the user of the host read that file.`);
  }
}

function parsed<T>(setting: string, path: string, parse: () => T): T {
  try {
    return parse();
  } catch (thrown) {
    throw unsafe(`${setting} names ${path}, which is not the PEM file it should be (${problemOf(thrown)})`, `Write a PEM file of the right kind there; a key must have no passphrase.`);
  }
}

const unsafe = (problem: string, remedy: string) => new GatehouseError('CONFIG_UNSAFE', { problem, remedy });
