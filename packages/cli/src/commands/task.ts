// `meseta task list|logs|kill`.
import type { AgentInfo, Task } from '@meseta/sdk';
import { isTerminal } from '@meseta/sdk';
import { answerOf, type Cluster, clusterOf, printJson } from '../cluster.js';
import { CLUSTER_HELP, CommandError, clusterOptions, EXIT, parse } from '../command.js';
import { dispatch } from '../dispatch.js';
import { followFile, sandboxOf } from '../sandbox.js';
import { formatTable } from '../table.js';

const USAGE = `Usage: meseta task list [--all] [OPTION]...
       meseta task logs [--stderr] [--follow] TASK [OPTION]...
       meseta task kill TASK... [OPTION]...
TASK is a task's id; where frameworks share one, FRAMEWORK/TASK.

      --all                list: tasks that have ended, too
      --stderr             logs: the standard error instead of the output
  -f, --follow             logs: go on until the task has ended
${CLUSTER_HELP}
`;

export const taskProgram = (argv: readonly string[]): Promise<number> =>
  dispatch('task', USAGE, { list, logs, kill }, argv);

interface Listed {
  readonly task: Task;
  readonly agent: AgentInfo | undefined;
}

async function tasksOf(cluster: Cluster): Promise<readonly Listed[]> {
  const [tasks, agents] = await Promise.all([
    answerOf(cluster, cluster.master.call('GET_TASKS')),
    answerOf(cluster, cluster.master.call('GET_AGENTS')),
  ]);
  const infos = new Map((agents.agents ?? []).map(({ agent_info }) => [agent_info.id?.value, agent_info]));
  return [tasks.pending_tasks, tasks.tasks, tasks.unreachable_tasks, tasks.completed_tasks]
    .flatMap((list) => list ?? [])
    .map((task) => ({ task, agent: infos.get(task.agent_id.value) }));
}

async function list(argv: readonly string[]): Promise<number> {
  const options = { ...clusterOptions, all: { type: 'boolean' } } as const;
  const { values } = parse('task list', { args: [...argv], options });
  if (values.help) return help();
  const all = await tasksOf(clusterOf(values));
  const rows = values.all ? all : all.filter(({ task }) => !isTerminal(task.state));
  if (values.json) printJson(rows.map(({ task }) => task));
  else process.stdout.write(`${formatTable(columns, rows)}\n`);
  return EXIT.done;
}

const scalarOf = (task: Task, name: string): number =>
  (task.resources ?? []).reduce((sum, r) => sum + (r.name === name ? (r.scalar?.value ?? 0) : 0), 0);

const columns = [
  { title: 'id', value: ({ task }: Listed) => task.task_id.value },
  { title: 'name', value: ({ task }: Listed) => task.name },
  { title: 'state', value: ({ task }: Listed) => task.state },
  { title: 'framework', value: ({ task }: Listed) => task.framework_id.value },
  { title: 'agent', value: ({ agent, task }: Listed) => agent?.hostname ?? task.agent_id.value },
  { title: 'cpus', value: ({ task }: Listed) => scalarOf(task, 'cpus'), align: 'right' as const },
  { title: 'mem', value: ({ task }: Listed) => scalarOf(task, 'mem'), align: 'right' as const },
];

async function logs(argv: readonly string[]): Promise<number> {
  const options = {
    ...clusterOptions,
    stderr: { type: 'boolean' },
    follow: { type: 'boolean', short: 'f' },
  } as const;
  const { values, positionals } = parse('task logs', { args: [...argv], options, allowPositionals: true });
  if (values.help) return help();
  const cluster = clusterOf(values);
  const found = pick(await tasksOf(cluster), only('task logs', positionals));
  if (found.agent === undefined) throw new CommandError(`the agent of ${found.task.task_id.value} is not registered`);
  const sandbox = await sandboxOf(cluster, found.agent, found.task);
  const isOver = async (): Promise<boolean> =>
    !values.follow || isTerminal(pick(await tasksOf(cluster), fullName(found.task)).task.state);
  await followFile(sandbox, values.stderr ? 'stderr' : 'stdout', process.stdout, isOver);
  return EXIT.done;
}

async function kill(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parse('task kill', {
    args: [...argv],
    options: clusterOptions,
    allowPositionals: true,
  });
  if (values.help) return help();
  if (positionals.length === 0) only('task kill', positionals);
  const cluster = clusterOf(values);
  const tasks = await tasksOf(cluster);
  for (const { task } of positionals.map((name) => pick(tasks, name))) {
    await answerOf(cluster, cluster.master.killTask({ framework_id: task.framework_id, task_id: task.task_id }));
    if (!values.json) process.stdout.write(`${task.task_id.value}: asked to stop\n`);
  }
  return EXIT.done;
}

function help(): number {
  process.stdout.write(USAGE);
  return EXIT.done;
}

function only(command: string, names: readonly string[]): string {
  const [name] = names;
  if (name === undefined || names.length > 1)
    throw new CommandError(`meseta ${command}: expected one TASK`, EXIT.usage);
  return name;
}

const fullName = (task: Task): string => `${task.framework_id.value}/${task.task_id.value}`;

/** The one task of this name, a running one before one that has ended. */
function pick(tasks: readonly Listed[], name: string): Listed {
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
