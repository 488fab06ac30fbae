// Parses the table of mounts (proc_pid_mountinfo(5)). Pure.

export interface MountInfo {
  readonly point: string;
  readonly isWritable: boolean;
  readonly type: string;
  readonly superOptions: readonly string[];
}

/** Spaces and backslashes in paths are octal numbers. */
const unescapePath = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

function parseLine(line: string): MountInfo | undefined {
  const [before, after] = line.split(' - ');
  const point = before?.split(' ')[4];
  const options = before?.split(' ')[5];
  const [type, , superOptions] = after?.split(' ') ?? [];
  if (point === undefined || options === undefined || type === undefined) return undefined;
  return {
    point: unescapePath(point),
    isWritable: options.split(',').includes('rw'),
    type,
    superOptions: (superOptions ?? '').split(','),
  };
}

/** The mounts in their order. Lines in another form are left out. */
export const parseMountInfo = (text: string): readonly MountInfo[] =>
  text
    .split('\n')
    .map(parseLine)
    .filter((mount) => mount !== undefined);
