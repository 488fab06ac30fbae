// A container's record: the file in the runtime directory by which the next supervisor or agent finds the container and its
// end. The supervisor writes it, a line at a time:
//   container JSON                 the boot, the sandbox, and what processes beside the command need; before the first process is started
//   first STAT                     by the first process, before it runs the command: its line of /proc/self/stat
//   exited CODE | signaled SIGNAL  its exact end
import { type LinuxPlan, SHARED_LINUX } from '@meseta/base';
import { type ProcessStat, parseStat } from '../processes/process-table.js';
import type { ExitStatus } from '../types.js';

const SUFFIX = '.record';

export const recordName = (containerId: string): string => `${containerId}${SUFFIX}`;

/** The ids of the containers that have a record among these files. */
export const idsOf = (names: readonly string[]): readonly string[] =>
  names.filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(0, -SUFFIX.length));

interface RecordHead {
  /** Process ids of another boot mean nothing. */
  readonly bootId: string;
  readonly sandbox: string;
  readonly setting: ContainerSetting;
}

/** What a process has in common with the first process of its container. */
export interface ContainerSetting {
  /** Has the container's processes; undefined: they are those of its session. */
  readonly cgroup?: string | undefined;
  readonly cgroups: readonly string[];
  /** Its mounts are made. */
  readonly linux?: LinuxPlan | undefined;
}

export interface ContainerRecord {
  readonly head: RecordHead | undefined;
  readonly first: ProcessStat | undefined;
  /** undefined while its line is missing or incomplete. */
  readonly status: ExitStatus | undefined;
}

export const headLine = ({ bootId, sandbox, setting }: RecordHead): string =>
  `container ${JSON.stringify([bootId, sandbox, setting])}\n`;

export const statusLine = (status: Exclude<ExitStatus, { kind: 'unknown' }>): string =>
  status.kind === 'exited' ? `exited ${status.code}\n` : `signaled ${status.signal}\n`;

export function parseRecord(text: string): ContainerRecord {
  const lines = text.split('\n');
  // The text after the last newline is an incomplete line, or empty.
  lines.pop();
  const head = lines.find((line) => line.startsWith('container '));
  // A script without an interpreter line is started twice.
  const first = lines.findLast((line) => line.startsWith('first '));
  return {
    head: head === undefined ? undefined : parseHead(head.slice('container '.length)),
    first: first === undefined ? undefined : parseStat(first.slice('first '.length)),
    status: lines.map(parseStatus).find((status) => status !== undefined),
  };
}

function parseHead(text: string): RecordHead {
  // Records of earlier versions have no setting.
  const [bootId, sandbox, setting] = JSON.parse(text) as [string, string, ContainerSetting?];
  const { cgroups, cgroup, linux } = setting ?? { cgroups: [] };
  return { bootId, sandbox, setting: { cgroups, cgroup, linux: linux && { ...SHARED_LINUX, ...linux } } };
}

function parseStatus(line: string): ExitStatus | undefined {
  const found = /^(exited|signaled) (\d{1,3})$/.exec(line);
  if (found === null) return undefined;
  const number = Number(found[2]);
  return found[1] === 'exited' ? { kind: 'exited', code: number } : { kind: 'signaled', signal: number };
}
