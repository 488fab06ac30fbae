// Parses the control files of cgroups. What is not in the expected form is left out.

/** A control file never reaches these sizes, but for the lists of processes of a container that has no limit of them. */
export const MAX_CONTROL_FILE_BYTES = 256 * 1024;

/** `cgroup.procs`: a process id a line. A text that was cut ends in a part of a number, which is left out. */
export function parseProcessIds(text: string): readonly number[] {
  const lines = text.split('\n');
  lines.pop();
  return lines.map(Number).filter((pid) => Number.isSafeInteger(pid) && pid > 0);
}

/** A number, `Infinity` for `max`, undefined for anything else. */
export function parseNumber(text: string | undefined): number | undefined {
  const word = text?.trim() ?? '';
  if (word === 'max') return Infinity;
  return /^-?\d+$/.test(word) ? Number(word) : undefined;
}

/** `memory.stat`, `cpu.stat`, `memory.events`: a key and a number a line. */
export function parseKeyed(text: string | undefined): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  for (const line of (text ?? '').split('\n')) {
    const [key, word] = line.split(' ');
    const value = parseNumber(word);
    if (key !== undefined && value !== undefined) values.set(key, value);
  }
  return values;
}
