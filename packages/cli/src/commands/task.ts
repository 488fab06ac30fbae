// `meseta task`: lists tasks, shows their output, ends them.
import type { Task } from '@meseta/sdk';
import { isTerminal, scalarSum } from '@meseta/sdk';
import { answerOf, type Cluster, clusterOf, printRows } from '../cluster.js';
import { CommandError, clusterOptions, defineCommand, EXIT, parseDurationOption } from '../command.js';
import type { Group } from '../dispatch.js';
import { followFile, sandboxOf } from '../sandbox.js';

interface Listed {
  readonly task: Task;
  readonly hostname: string | undefined;
  /** `ip:port` of its agent; undefined while the agent is not registered. */
  readonly address: string | undefined;
}

async function tasksOf(cluster: Cluster): Promise<readonly Listed[]> {
  const [tasks, agents] = await Promise.all([
    answerOf(cluster, cluster.master.call('GET_TASKS')),
    answerOf(cluster, cluster.master.call('GET_AGENTS')),
  ]);
  const known = new Map((agents.agents ?? []).map((agent) => [agent.agent_info.id?.value, agent]));
  return [tasks.pending_tasks, tasks.tasks, tasks.unreachable_tasks, tasks.completed_tasks]
    .flatMap((list) => list ?? [])
    .map((task) => {
      const agent = known.get(task.agent_id.value);
      return { task, hostname: agent?.agent_info.hostname, address: agent?.pid?.split('@')[1] };
    });
}

const list = defineCommand({
  summary: 'Lists the tasks of the cluster.',
  positionals: '',
  options: { ...clusterOptions, all: { type: 'boolean', help: 'include tasks that have ended' } },
  async run(values) {
    const all = await tasksOf(clusterOf(values));
    const rows = values.all ? all : all.filter(({ task }) => !isTerminal(task.state));
    printRows(
      values.json,
      rows.map(({ task }) => task),
      columns,
      rows,
    );
    return EXIT.done;
  },
});

const columns = [
  { title: 'id', value: ({ task }: Listed) => task.task_id.value },
  { title: 'name', value: ({ task }: Listed) => task.name },
  { title: 'state', value: ({ task }: Listed) => task.state },
  { title: 'framework', value: ({ task }: Listed) => task.framework_id.value },
  { title: 'agent', value: ({ hostname, task }: Listed) => hostname ?? task.agent_id.value },
  { title: 'cpus', value: ({ task }: Listed) => scalarSum(task.resources, 'cpus'), align: 'right' as const },
  { title: 'mem', value: ({ task }: Listed) => scalarSum(task.resources, 'mem'), align: 'right' as const },
];

const NAMES = 'TASK is the id of a task, or FRAMEWORK/TASK if several frameworks use the id.';

const logs = defineCommand({
  summary: 'Prints the output of a task.',
  positionals: 'TASK',
  about: `Prints the output of a task. ${NAMES}`,
  options: {
    ...clusterOptions,
    stderr: { type: 'boolean', help: 'print standard error instead of standard output' },
    follow: { type: 'boolean', short: 'f', help: 'continue until the task has ended' },
  },
  async run(values, [name = '']) {
    const cluster = clusterOf(values);
    const found = findTask(await tasksOf(cluster), name);
    if (found.address === undefined)
      throw new CommandError(`the agent of ${found.task.task_id.value} is not registered`);
    const sandbox = await sandboxOf(cluster, found.address, found.task);
    const isOver = async (): Promise<boolean> =>
      !values.follow || isTerminal(findTask(await tasksOf(cluster), fullName(found.task)).task.state);
    await followFile(sandbox, values.stderr ? 'stderr' : 'stdout', process.stdout, isOver);
    return EXIT.done;
  },
});

const kill = defineCommand({
  summary: 'Kills tasks, as a KILL call of their framework does.',
  positionals: 'TASK...',
  about: `Kills tasks, as a KILL call of their framework does. ${NAMES}`,
  options: {
    ...clusterOptions,
    grace: {
      type: 'string',
      value: 'DURATION',
      help: "the time between SIGTERM and SIGKILL, such as 5secs (default: the task's own)",
    },
  },
  async run(values, names, path) {
    const graceMs = values.grace === undefined ? undefined : parseDurationOption(path, 'grace', values.grace);
    const kill_policy =
      graceMs === undefined ? undefined : { grace_period: { nanoseconds: Math.round(graceMs * 1e6) } };
    const cluster = clusterOf(values);
    const tasks = await tasksOf(cluster);
    for (const { task } of names.map((name) => findTask(tasks, name))) {
      const { framework_id, task_id } = task;
      const asked = { framework_id, task_id, ...(kill_policy && { kill_policy }) };
      await answerOf(cluster, cluster.master.killTask(asked));
      if (!values.json) process.stdout.write(`${task_id.value}: kill requested\n`);
    }
    return EXIT.done;
  },
});

export const task: Group = { summary: 'Manages the tasks of the cluster.', verbs: { list, logs, kill } };

const fullName = (task: Task): string => `${task.framework_id.value}/${task.task_id.value}`;

/** The task of this name; one that runs takes precedence over those that have ended. */
function findTask(tasks: readonly Listed[], name: string): Listed {
  const named = tasks.filter(({ task }) => task.task_id.value === name || fullName(task) === name);
  const running = named.filter(({ task }) => !isTerminal(task.state));
  const [found, another] = running.length > 0 ? running : named;
  if (found === undefined) throw new CommandError(`no task ${name}`);
  if (another !== undefined) {
    const names = named.map(({ task }) => fullName(task)).join(', ');
    throw new CommandError(`several frameworks have a task ${name}: name one of ${names}`);
  }
  return found;
}
