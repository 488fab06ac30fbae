// Certificates for tests with TLS, made by openssl.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Skip } from './compliance.js';

const hasOpenssl = (): boolean => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

export const opensslSkip: Skip = hasOpenssl() ? false : 'no openssl';

export interface Certificates {
  /** The files of a certificate and its key, signed by the authority `ca`. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** A new certificate authority in the directory, and a certificate for the names (`IP:127.0.0.1`, `DNS:localhost`). */
export function makeCertificates(directory: string, names: string): Certificates {
  const openssl = (...argv: string[]) => execFileSync('openssl', argv, { stdio: 'ignore', cwd: directory });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-days', '2', '-subj', '/CN=ca', '-keyout', 'ca.key', '-out', 'ca.pem');
  openssl('req', ...key, '-subj', '/O=meseta', '-keyout', 'own.key', '-out', 'own.csr');
  writeFileSync(join(directory, 'ext'), `subjectAltName=${names}\nextendedKeyUsage=serverAuth,clientAuth\n`);
  const sign = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'ext'];
  openssl('x509', '-req', '-in', 'own.csr', ...sign, '-out', 'own.pem');
  return { ca: join(directory, 'ca.pem'), cert: join(directory, 'own.pem'), key: join(directory, 'own.key') };
}

/** Node's default for the rest of the test file: connections with TLS do not verify the server unless they say so. */
export function verifyNothingByDefault(): void {
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
}
