// What a viewer may see of this agent.
import type { ContainerID, ExecutorInfo, FrameworkInfo, Task } from '@meseta/wire';

export interface Approver {
  framework(info: FrameworkInfo): boolean;
  task(task: Task, framework: FrameworkInfo): boolean;
  executor(info: ExecutorInfo, framework: FrameworkInfo): boolean;
  container(info: ExecutorInfo, framework: FrameworkInfo): boolean;
  standalone(id: ContainerID): boolean;
  /** Undefined: a sandbox whose executor is forgotten. */
  sandbox(owner: { readonly info: ExecutorInfo; readonly framework: FrameworkInfo } | undefined): boolean;
  role(name: string): boolean;
  readonly flags: boolean;
  /** The agent's own log. */
  readonly log: boolean;
}
