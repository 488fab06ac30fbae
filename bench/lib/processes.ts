// Memory and CPU time of processes, from /proc (proc(5)).
import { readdirSync, readFileSync } from 'node:fs';

/** Resident and proportional set size in KB. */
export interface ProcessMemory {
  readonly rss: number;
  readonly pss: number;
}

/** /proc shows times in hundredths of a second. */
const TICKS_PER_SECOND = 100;

/** The text is a smaps_rollup. */
export function kilobytesOf(text: string): ProcessMemory {
  const line = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
  return { rss: line('Rss'), pss: line('Pss') };
}

/** User and system time; the text is a stat line. */
export function cpuSeconds(text: string): number {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export const memoryOf = (pid: number): ProcessMemory => kilobytesOf(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
export const cpuOf = (pid: number): number => cpuSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8'));

/** The processes whose command line matches, with their memory; processes that end meanwhile are left out. */
export function processesLike(pattern: RegExp): readonly (ProcessMemory & { readonly pid: number })[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return pattern.test(command) ? [{ pid: Number(name), ...memoryOf(Number(name)) }] : [];
    } catch {
      return [];
    }
  });
}
