// The PEM files that an address with TLS names.
import { readFileSync, statSync } from 'node:fs';
import { err, ok, type Result } from '@meseta/base';
import type { TlsFiles } from './service-address.js';

/** The contents of the files. */
export type TlsContents = { readonly [K in keyof TlsFiles]: Buffer };

const MAX_PEM_BYTES = 2 ** 20;

/** The error names the file. */
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
  return ok(contents);
}
