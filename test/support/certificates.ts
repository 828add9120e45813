// Certificates made on the spot, as openssl makes them: an authority, what it signs, and what it takes back. Tests that need them say `not run: openssl` where it is not installed.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Undefined where there is no openssl. */
export const OPENSSL = (() => {
  try {
    return execFileSync('openssl', ['version'], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
})();

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  /** Its own certificate. */
  readonly ca: string;
  /** Key and certificate of a name, mode 0600. */
  sign(name: string, options?: { readonly altName?: string; readonly from?: string; readonly until?: string }): Pair;
  /** A revocation list that holds these certificates. */
  crl(file: string, revoked: readonly Pair[]): string;
}

/** `YYYYMMDDHHMMSSZ`, so many days from now. */
export const inDays = (days: number): string => `${new Date(Date.now() + days * 86_400_000).toISOString().replaceAll(/[-:T]|\.\d+/g, '').slice(0, 14)}Z`;

export function anAuthority(dir: string, authority = 'ca'): Authority {
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const path = (name: string) => join(dir, name);
  const aKey = (name: string) => {
    run('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`);
    execFileSync('chmod', ['600', path(`${name}.key`)]);
  };
  aKey(authority);
  run('req', '-x509', '-new', '-key', `${authority}.key`, '-subj', `/CN=${authority} of a test`, '-days', '2', '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign', '-out', `${authority}.pem`);
  writeFileSync(path(`${authority}.index`), '');
  writeFileSync(path(`${authority}.serial`), '1000\n');
  writeFileSync(path(`${authority}.crlnumber`), '01\n');
  writeFileSync(path(`${authority}.cnf`), [
    '[ca]', 'default_ca=it', '[it]', `database=${authority}.index`, `serial=${authority}.serial`, `crlnumber=${authority}.crlnumber`, 'new_certs_dir=.', `certificate=${authority}.pem`, `private_key=${authority}.key`,
    'default_md=sha256', 'default_days=2', 'default_crl_days=2', 'policy=any', 'unique_subject=no', 'copy_extensions=copy', '[any]', 'commonName=supplied', '',
  ].join('\n'));
  return {
    ca: path(`${authority}.pem`),
    sign(name, { altName = 'IP:127.0.0.1,DNS:localhost', from = inDays(-1), until = inDays(90) } = {}) {
      aKey(name);
      run('req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-addext', `subjectAltName=${altName}`, '-out', `${name}.csr`);
      run('ca', '-batch', '-notext', '-config', `${authority}.cnf`, '-startdate', from, '-enddate', until, '-in', `${name}.csr`, '-out', `${name}.pem`);
      return { cert: path(`${name}.pem`), key: path(`${name}.key`) };
    },
    crl(file, revoked) {
      for (const { cert } of revoked) run('ca', '-config', `${authority}.cnf`, '-revoke', cert);
      run('ca', '-config', `${authority}.cnf`, '-gencrl', '-out', file);
      return path(file);
    },
  };
}
