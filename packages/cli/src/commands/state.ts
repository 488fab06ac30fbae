// `meseta state`: a summary of the cluster; --json prints the whole state.
import { type MasterResponseGetState, type Resource, scalarSum, type Task } from '@meseta/sdk';
import { clusterOf, printJson, resultOf } from '../cluster.js';
import { clusterOptions, defineCommand, EXIT } from '../command.js';
import { printText } from '../output.js';
import { formatSpan, formatTable } from '../table.js';

export const state = defineCommand({
  summary: 'Summarizes the cluster.',
  positionals: '',
  about:
    'Summarizes the cluster: its leader, agents, frameworks, tasks and resources in use. --json prints the whole state.',
  options: clusterOptions,
  async run(values) {
    const cluster = clusterOf(values);
    const response = await resultOf(cluster, cluster.master.call('GET_STATE'));
    if (values.json) {
      printJson(response);
      return EXIT.done;
    }
    const leader = await resultOf(cluster, cluster.master.call('GET_MASTER'));
    const { master_info: info, elected_time } = leader;
    const since = elected_time === undefined ? '' : `, leads for ${formatSpan(Date.now() - 1000 * elected_time)}`;
    const lines = [
      `master      ${info?.hostname}:${info?.port} (${info?.version})${since}`,
      `agents      ${agentCounts(response)}`,
      `frameworks  ${frameworkCounts(response)}`,
      `tasks       ${taskCounts(response)}`,
    ];
    printText(`${lines.join('\n')}\n\n${formatTable(columns, usage(response))}`);
    return EXIT.done;
  },
});

const counted = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ') || 'none';

function agentCounts({ get_agents }: MasterResponseGetState): string {
  const { agents = [], recovered_agents = [] } = get_agents ?? {};
  const active = agents.filter(({ active: isActive, deactivated }) => isActive && !deactivated).length;
  const deactivated = agents.filter((agent) => agent.deactivated).length;
  const disconnected = agents.length - active - deactivated;
  return counted({ active, deactivated, disconnected, 'not reregistered since the failover': recovered_agents.length });
}

function frameworkCounts({ get_frameworks }: MasterResponseGetState): string {
  const { frameworks = [], completed_frameworks = [] } = get_frameworks ?? {};
  const active = frameworks.filter((framework) => framework.active).length;
  return counted({
    active,
    'disconnected or inactive': frameworks.length - active,
    completed: completed_frameworks.length,
  });
}

function taskCounts({ get_tasks }: MasterResponseGetState): string {
  const all = [get_tasks?.tasks, get_tasks?.unreachable_tasks, get_tasks?.completed_tasks].flatMap(
    (list) => list ?? [],
  );
  const counts: Record<string, number> = {};
  for (const { state: of } of all as readonly Task[]) {
    const name = of.replace('TASK_', '').toLowerCase();
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counted(counts);
}

interface Usage {
  readonly name: string;
  readonly used: number;
  readonly offered: number;
  readonly total: number;
}

function usage({ get_agents }: MasterResponseGetState): readonly Usage[] {
  const agents = get_agents?.agents ?? [];
  const sum = (name: string, of: (agent: (typeof agents)[number]) => readonly Resource[] | undefined): number =>
    scalarSum(
      agents.flatMap((agent) => of(agent) ?? []),
      name,
    );
  const scalars = agents.flatMap(({ total_resources = [] }) => total_resources.filter(({ scalar }) => scalar));
  return [...new Set(scalars.map(({ name }) => name))].map((name) => ({
    name,
    used: sum(name, (agent) => agent.allocated_resources),
    offered: sum(name, (agent) => agent.offered_resources),
    total: sum(name, (agent) => agent.total_resources),
  }));
}

const columns = [
  { title: 'resource', value: ({ name }: Usage) => name },
  { title: 'used', value: ({ used }: Usage) => used, align: 'right' as const },
  { title: 'offered', value: ({ offered }: Usage) => offered, align: 'right' as const },
  { title: 'total', value: ({ total }: Usage) => total, align: 'right' as const },
  {
    title: 'used %',
    value: ({ used, total }: Usage) => (total === 0 ? undefined : `${Math.round((100 * used) / total)}`),
    align: 'right' as const,
  },
];
