// The counters behind the agent's metrics, from the start of the process.

export interface Counters {
  validStatusUpdates: number;
  invalidStatusUpdates: number;
  validFrameworkMessages: number;
  invalidFrameworkMessages: number;
  executorsTerminated: number;
  executorsPreempted: number;
  containerLaunchErrors: number;
  recoveryErrors: number;
  sandboxesRemoved: number;
  sandboxRemovalsFailed: number;
  /** By terminal state without `TASK_`, in lower case: finished, failed, killed, lost, gone, error, dropped. */
  readonly tasks: Map<string, number>;
}

export const createCounters = (): Counters => ({
  validStatusUpdates: 0,
  invalidStatusUpdates: 0,
  validFrameworkMessages: 0,
  invalidFrameworkMessages: 0,
  executorsTerminated: 0,
  executorsPreempted: 0,
  containerLaunchErrors: 0,
  recoveryErrors: 0,
  sandboxesRemoved: 0,
  sandboxRemovalsFailed: 0,
  tasks: new Map(),
});
