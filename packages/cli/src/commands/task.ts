// `meseta task`: lists tasks, shows their output, runs commands beside them, ends them.
import { isTerminal, scalarSum } from '@meseta/sdk';
import { clusterOf, printRows, resultOf } from '../cluster.js';
import { CommandError, clusterOptions, defineCommand, EXIT, parseDurationOption } from '../command.js';
import type { Group } from '../dispatch.js';
import { printText } from '../output.js';
import { followFile, sandboxOf } from '../sandbox.js';
import { findTask, fullName, type ListedTask, NAMES, tasksOf } from '../tasks.js';
import { attach, exec } from './task-session.js';

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
  { title: 'id', value: ({ task }: ListedTask) => task.task_id.value },
  { title: 'name', value: ({ task }: ListedTask) => task.name },
  { title: 'state', value: ({ task }: ListedTask) => task.state },
  { title: 'framework', value: ({ task }: ListedTask) => task.framework_id.value },
  { title: 'agent', value: ({ hostname, task }: ListedTask) => hostname ?? task.agent_id.value },
  { title: 'cpus', value: ({ task }: ListedTask) => scalarSum(task.resources, 'cpus'), align: 'right' as const },
  { title: 'mem', value: ({ task }: ListedTask) => scalarSum(task.resources, 'mem'), align: 'right' as const },
];

/** How often the state of the task is read. Its output is read more often. */
const STATE_POLL_MS = 2000;

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
    let readMs = performance.now();
    const isOver = async (): Promise<boolean> => {
      if (!values.follow) return true;
      if (performance.now() - readMs < STATE_POLL_MS) return false;
      const { task } = findTask(await tasksOf(cluster), fullName(found.task));
      readMs = performance.now();
      return isTerminal(task.state);
    };
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
      await resultOf(cluster, cluster.master.killTask(asked));
      if (!values.json) printText(`${task_id.value}: kill requested`);
    }
    return EXIT.done;
  },
});

export const task: Group = { summary: 'Manages the tasks of the cluster.', verbs: { list, logs, exec, attach, kill } };
