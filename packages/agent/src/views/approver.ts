// Which parts of an agent's state a principal may read.
import type { ContainerID, ExecutorInfo, FrameworkInfo, Task } from '@meseta/wire';

export interface Approver {
  framework(info: FrameworkInfo): boolean;
  task(task: Task, framework: FrameworkInfo): boolean;
  executor(info: ExecutorInfo, framework: FrameworkInfo): boolean;
  container(info: ExecutorInfo, framework: FrameworkInfo): boolean;
  standalone(id: ContainerID): boolean;
  /** `owner` undefined: the agent no longer knows the sandbox's executor. */
  sandbox(owner: { readonly info: ExecutorInfo; readonly framework: FrameworkInfo } | undefined): boolean;
  role(name: string): boolean;
  readonly flags: boolean;
  /** The agent's own log. */
  readonly log: boolean;
}
