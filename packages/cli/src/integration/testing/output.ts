// What a program writes.
import type { ChildProcessWithoutNullStreams } from 'node:child_process';

export interface Output {
  /** So far. */
  out(): string;
  err(): string;
}

export function collectOutput(child: ChildProcessWithoutNullStreams): Output {
  let out = '';
  let err = '';
  child.stdout.on('data', (part) => {
    out += part;
  });
  child.stderr.on('data', (part) => {
    err += part;
  });
  return { out: () => out, err: () => err };
}
