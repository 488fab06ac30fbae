// The files of a task, read through its agent.
import { connectAgent, type Task } from '@meseta/sdk';
import type { Agent } from '@meseta/sdk/agent-streams';
import { mastersOf } from '@meseta/sdk/masters';
import { type Cluster, fetchJson } from './cluster.js';
import { CommandError, EXIT } from './command.js';

const POLL_MS = 250;
const CHUNK_BYTES = 1 << 20;

export interface Sandbox {
  /** Absolute path on the agent. */
  readonly directory: string;
  readonly read: (path: string, offset: number) => Promise<Uint8Array>;
}

export type TaskName = Pick<Task, 'framework_id' | 'task_id'>;

interface StateExecutor {
  readonly id: string;
  readonly directory: string;
  readonly tasks?: readonly { readonly id: string }[];
  readonly completed_tasks?: readonly { readonly id: string }[];
}

interface StateFramework {
  readonly id: string;
  readonly executors?: readonly StateExecutor[];
  readonly completed_executors?: readonly StateExecutor[];
}

/** The fields of an agent's /state by which the sandbox of a task is found. */
interface AgentState {
  readonly frameworks?: readonly StateFramework[];
  readonly completed_frameworks?: readonly StateFramework[];
}

/** The agent at `address` (`ip:port`). Its scheme is that of the master: a cluster has TLS on all its ports, or on none. */
export async function agentOf({ address: master, shown, credential }: Cluster, address: string): Promise<Agent> {
  const found = await mastersOf(master).find();
  // The credential must not go out in plain text because the master did not answer.
  if (!found.ok) throw new CommandError(`no master answers at ${shown}: ${found.error.text}`, EXIT.unreachable);
  return { url: `${found.value.startsWith('https:') ? 'https' : 'http'}://${address}`, credential };
}

/** The sandbox of the task on the agent at `address` (`ip:port`), found in its /state (Mesos: docs/sandbox.md). */
export async function sandboxOf(cluster: Cluster, address: string, task: TaskName): Promise<Sandbox> {
  const { url } = await agentOf(cluster, address);
  const state = await fetchJson<AgentState>(`${url}/state`, `the agent at ${address}`, cluster.credential);
  const executor = [...(state.frameworks ?? []), ...(state.completed_frameworks ?? [])]
    .filter(({ id }) => id === task.framework_id.value)
    .flatMap((framework) => [...(framework.executors ?? []), ...(framework.completed_executors ?? [])])
    .find((candidate) => hasRun(candidate, task));
  if (executor === undefined) throw new CommandError(`the agent at ${address} has no task ${task.task_id.value}`);
  const client = connectAgent(url, cluster.credential);
  return {
    directory: executor.directory,
    read: async (path, offset) => {
      const read = await client.call('READ_FILE', {
        path: `${executor.directory}/${path}`,
        offset,
        length: CHUNK_BYTES,
      });
      if (read.ok) return Buffer.from(read.value.data, 'base64');
      throw new CommandError(`${path}: ${read.error.text}`);
    },
  };
}

const hasRun = (executor: StateExecutor, task: TaskName): boolean =>
  executor.id === task.task_id.value ||
  [...(executor.tasks ?? []), ...(executor.completed_tasks ?? [])].some(({ id }) => id === task.task_id.value);

/** Writes the file as it grows, until `isOver` is true and everything written before has been read. */
export async function followFile(
  sandbox: Sandbox,
  path: string,
  out: NodeJS.WritableStream,
  isOver: () => Promise<boolean>,
): Promise<void> {
  let offset = 0;
  for (let last = false; ; ) {
    const bytes = await sandbox.read(path, offset);
    if (bytes.length > 0) {
      offset += bytes.length;
      if (!out.write(bytes)) await new Promise((resolve) => out.once('drain', resolve));
      continue;
    }
    if (last) return;
    last = await isOver();
    if (!last) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
