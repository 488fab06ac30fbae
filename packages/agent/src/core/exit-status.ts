// Exit statuses as text, with the wording of Mesos' command executor.
import type { ContainerEnd, ExitStatus } from '@meseta/containers/types';
import type { FrameworkInfo, TaskStatus } from '@meseta/wire';
import { taskStateFor } from '@meseta/wire/task-states';
import { isPartitionAware } from './state.js';

export const SIGTERM = 15;
export const SIGKILL = 9;

/** The signals by number, with the names of Linux' C library. */
const SIGNALS: { readonly [signal: number]: string } = {
  1: 'Hangup',
  2: 'Interrupt',
  3: 'Quit',
  4: 'Illegal instruction',
  5: 'Trace/breakpoint trap',
  6: 'Aborted',
  7: 'Bus error',
  8: 'Floating point exception',
  9: 'Killed',
  10: 'User defined signal 1',
  11: 'Segmentation fault',
  12: 'User defined signal 2',
  13: 'Broken pipe',
  14: 'Alarm clock',
  15: 'Terminated',
  16: 'Stack fault',
  24: 'CPU time limit exceeded',
  25: 'File size limit exceeded',
  31: 'Bad system call',
};

export function exitMessage(status: ExitStatus): string {
  switch (status.kind) {
    case 'exited':
      return `Command exited with status ${status.code}`;
    case 'signaled':
      return `Command terminated with signal ${SIGNALS[status.signal] ?? `Unknown signal ${status.signal}`}`;
    case 'unknown':
      return 'Command ended, its exit status is not known';
  }
}

/** The status of a task whose container was destroyed because it exceeded a limit; undefined if it ended otherwise. */
export const limitationStatus = ({
  limitation,
}: ContainerEnd): (Pick<TaskStatus, 'state'> & Partial<TaskStatus>) | undefined =>
  limitation && {
    state: 'TASK_FAILED',
    source: 'SOURCE_AGENT',
    reason: limitation.reason,
    message: limitation.message,
    limitation: { resources: limitation.resources },
  };

/** The status of a task that was ended to free the host from revocable work (Mesos: docs/oversubscription.md). */
export const preemptedStatus = (framework: FrameworkInfo): Pick<TaskStatus, 'state'> & Partial<TaskStatus> => ({
  state: taskStateFor(isPartitionAware(framework), 'TASK_GONE'),
  source: 'SOURCE_AGENT',
  reason: 'REASON_CONTAINER_PREEMPTED',
  message: 'Container preempted by QoS correction',
});

/** An exit status as wait(2) gives it; -1 if it is unknown. */
export const waitStatusOf = (status: ExitStatus): number =>
  status.kind === 'exited' ? status.code << 8 : status.kind === 'signaled' ? status.signal : -1;
