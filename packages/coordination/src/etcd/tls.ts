// Reads the files of an address with TLS.
import { readFileSync, statSync } from 'node:fs';
import { err, ok, type Result } from '@meseta/base';
import type { EtcdTlsFiles } from './address.js';

const MAX_PEM_BYTES = 2 ** 20;

/** The error names the file. */
export function readTlsFiles(files: EtcdTlsFiles): Result<{ readonly [K in keyof EtcdTlsFiles]: Buffer }, string> {
  const contents: { -readonly [K in keyof EtcdTlsFiles]: Buffer } = {};
  for (const [name, file] of Object.entries(files) as [keyof EtcdTlsFiles, string][]) {
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
