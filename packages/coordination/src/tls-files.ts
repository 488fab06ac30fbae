// The PEM files that an address with TLS names.
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { err, ok, type Result } from '@meseta/base';
import type { TlsFiles } from './service-address.js';

/** The contents of the files. */
export type TlsContents = { readonly [K in keyof TlsFiles]: Buffer };

const MAX_PEM_BYTES = 2 ** 20;

/** The error names the file, and for a certificate and its key both. */
export function readTlsFiles(files: TlsFiles): Result<TlsContents, string> {
  const contents: { -readonly [K in keyof TlsContents]: TlsContents[K] } = {};
  for (const [name, file] of Object.entries(files) as [keyof TlsFiles, string][]) {
    try {
      if (statSync(file).size > MAX_PEM_BYTES)
        return err(`${name}: expected at most ${MAX_PEM_BYTES} bytes in ${file}`);
      contents[name] = readFileSync(file);
    } catch (cause) {
      return err(`${name}: can't read ${file}: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
  }
  const problem = findProblem(files, contents);
  return problem === undefined ? ok(contents) : err(problem);
}

/** Found here, before a connection would end the process with it. */
function findProblem({ ca, cert, key }: TlsFiles, contents: TlsContents): string | undefined {
  try {
    // Node ignores what is no certificate, and then trusts no server.
    if (contents.ca !== undefined) new X509Certificate(contents.ca);
  } catch (cause) {
    return `ca: expected a PEM file with certificates in ${ca}: ${(cause as Error).message}`;
  }
  try {
    createSecureContext(contents);
    return undefined;
  } catch (cause) {
    return `cert, key: expected PEM files with a certificate and its key without a passphrase in ${cert} and ${key}: ${(cause as Error).message}`;
  }
}
