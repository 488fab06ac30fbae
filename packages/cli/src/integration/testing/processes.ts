// Processes of this machine, found by their command lines.
import { readdirSync, readFileSync } from 'node:fs';

/** The pids of processes whose command line contains the text. */
export function processesWith(text: string): readonly string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(text);
    } catch {
      // The process has ended meanwhile.
      return false;
    }
  });
}
