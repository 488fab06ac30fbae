// What a framework remembers in its database, which survives all of its processes: its id and its tasks.
import type { ExecutorInfo, TaskInfo, TaskStatus } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';

export interface TaskView {
  readonly id: string;
  readonly agentId: string;
  /** Of a framework's own executor or a pod. */
  readonly executorId: string | undefined;
  readonly launchedAtMs: number;
  /** The last status that it received. */
  status: TaskStatus | undefined;
  lastUpdateMs: number;
  /** The ACCEPT that launched it was refused: the task never existed. */
  refused: boolean;
  /** The framework sent a KILL. */
  killed: boolean;
}

export interface Memory {
  frameworkId: string | undefined;
  readonly tasks: Map<string, TaskView>;
  nextTask: number;
  /** Ids under which the master removed this framework, which then subscribed without an id. */
  readonly formerIds: string[];
  /** The name of the process that was started last. */
  newestProcess: string | undefined;
}

export const createMemory = (): Memory => ({
  frameworkId: undefined,
  tasks: new Map(),
  nextTask: 0,
  formerIds: [],
  newestProcess: undefined,
});

/** Whether the framework does not know that the task ended. TASK_UNKNOWN counts as an end. */
export const isAlive = (task: TaskView): boolean =>
  !task.refused && !isTerminal(task.status?.state) && task.status?.state !== 'TASK_UNKNOWN';

/** What the framework knows of a task when it launches it. */
export const launchedTask = (task: TaskInfo, executor: ExecutorInfo | undefined, nowMs: number): TaskView => ({
  id: task.task_id.value,
  agentId: task.agent_id.value,
  executorId: executor?.executor_id.value,
  launchedAtMs: nowMs,
  status: undefined,
  lastUpdateMs: nowMs,
  refused: false,
  killed: false,
});
