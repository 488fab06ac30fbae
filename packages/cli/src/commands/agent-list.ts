// `meseta agent list`: the agents of the cluster and how full they are.
import type { MasterResponseGetAgentsAgent, Resource } from '@meseta/sdk';
import { answerOf, clusterOf, printJson } from '../cluster.js';
import { CLUSTER_HELP, clusterOptions, EXIT, parse } from '../command.js';
import { formatSpan, formatTable } from '../table.js';

const USAGE = `Usage: meseta agent list [OPTION]...
The agents that are registered: where they are, since when, and what of them is in use.
${CLUSTER_HELP}
`;

export async function agentListProgram(argv: readonly string[]): Promise<number> {
  const { values } = parse('agent list', { args: [...argv], options: clusterOptions });
  if (values.help) {
    process.stdout.write(USAGE);
    return EXIT.done;
  }
  const cluster = clusterOf(values);
  const { agents = [] } = await answerOf(cluster, cluster.master.call('GET_AGENTS'));
  if (values.json) printJson(agents);
  else process.stdout.write(`${formatTable(columns, agents)}\n`);
  return EXIT.done;
}

const total = (resources: readonly Resource[] | undefined, name: string): number =>
  (resources ?? []).reduce((sum, r) => sum + (r.name === name ? (r.scalar?.value ?? 0) : 0), 0);

const used = (agent: MasterResponseGetAgentsAgent, name: string): string =>
  `${round(total(agent.allocated_resources, name))}/${round(total(agent.total_resources, name))}`;

const round = (value: number): number => Math.round(value * 100) / 100;

const age = (agent: MasterResponseGetAgentsAgent): string | undefined =>
  agent.registered_time && formatSpan(Date.now() - Number(agent.registered_time.nanoseconds / 1_000_000n));

const columns = [
  { title: 'id', value: (agent: MasterResponseGetAgentsAgent) => agent.agent_info.id?.value },
  {
    title: 'address',
    value: ({ agent_info }: MasterResponseGetAgentsAgent) => `${agent_info.hostname}:${agent_info.port ?? 5051}`,
  },
  {
    title: 'state',
    value: (agent: MasterResponseGetAgentsAgent) =>
      agent.deactivated ? 'deactivated' : agent.active ? 'active' : 'disconnected',
  },
  { title: 'cpus', value: (agent: MasterResponseGetAgentsAgent) => used(agent, 'cpus') },
  { title: 'mem', value: (agent: MasterResponseGetAgentsAgent) => used(agent, 'mem') },
  { title: 'disk', value: (agent: MasterResponseGetAgentsAgent) => used(agent, 'disk') },
  { title: 'up for', value: age },
];
