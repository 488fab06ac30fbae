// `meseta agent`: lists the agents of the cluster, and drains, deactivates, reactivates or marks them gone.
import { type MasterResponseGetAgentsAgent, scalarSum } from '@meseta/sdk';
import { type Cluster, clusterOf, printJson, resultOf } from '../cluster.js';
import { clusterOptions, defineCommand, EXIT, parseDurationOption } from '../command.js';
import type { Group } from '../dispatch.js';
import { defineListing } from '../listing.js';
import { agentIdNamed } from '../names.js';
import { printText } from '../output.js';
import { formatSpan } from '../table.js';

const usageText = (agent: MasterResponseGetAgentsAgent, name: string): string =>
  `${round(scalarSum(agent.allocated_resources, name))}/${round(scalarSum(agent.total_resources, name))}`;

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
      agent.drain_info?.state.toLowerCase() ??
      (agent.deactivated ? 'deactivated' : agent.active ? 'active' : 'disconnected'),
  },
  { title: 'cpus', value: (agent: MasterResponseGetAgentsAgent) => usageText(agent, 'cpus') },
  { title: 'mem', value: (agent: MasterResponseGetAgentsAgent) => usageText(agent, 'mem') },
  { title: 'disk', value: (agent: MasterResponseGetAgentsAgent) => usageText(agent, 'disk') },
  { title: 'registered for', value: age },
];

const list = defineListing(
  'Lists the agents with their state and their resources in use.',
  columns,
  async (cluster) => {
    const { agents = [] } = await resultOf(cluster, cluster.master.call('GET_AGENTS'));
    return { document: agents, rows: agents };
  },
);

const NAMES = 'AGENT is the id of an agent, the end of its id (S3), its hostname or hostname:port.';

type AgentId = { readonly value: string };

/** Resolves all names first, so that an unknown name changes nothing. */
async function forEachAgent(
  values: Parameters<typeof clusterOf>[0] & { readonly json?: boolean | undefined },
  names: readonly string[],
  outcome: string,
  act: (cluster: Cluster, agent_id: AgentId) => Promise<unknown>,
): Promise<number> {
  const cluster = clusterOf(values);
  const ids: AgentId[] = [];
  for (const name of names) ids.push(await agentIdNamed(cluster, name));
  for (const id of ids) {
    await act(cluster, id);
    if (!values.json) printText(`${id.value}: ${outcome}`);
  }
  if (values.json) printJson(ids.map(({ value }) => value));
  return EXIT.done;
}

const drain = defineCommand({
  summary: 'Stops offering agents and ends their tasks.',
  positionals: 'AGENT...',
  about: `Stops offering agents and ends their tasks; 'meseta agent reactivate' reverses it.
${NAMES}`,
  options: {
    ...clusterOptions,
    grace: {
      type: 'string',
      value: 'DURATION',
      help: "the longest grace period of a task, such as 30secs (default: each task's own)",
    },
    'mark-gone': { type: 'boolean', help: 'mark the agent gone once it is drained' },
  },
  run(values, names, path) {
    const graceMs = values.grace === undefined ? undefined : parseDurationOption(path, 'grace', values.grace);
    return forEachAgent(values, names, 'draining', (cluster, agent_id) =>
      resultOf(
        cluster,
        cluster.master.call('DRAIN_AGENT', {
          agent_id,
          ...(graceMs !== undefined && {
            max_grace_period: { seconds: Math.floor(graceMs / 1000), nanos: Math.round((graceMs % 1000) * 1e6) },
          }),
          ...(values['mark-gone'] && { mark_gone: true }),
        }),
      ),
    );
  },
});

const defineAgentCall = (
  summary: string,
  outcome: string,
  type: 'DEACTIVATE_AGENT' | 'REACTIVATE_AGENT' | 'MARK_AGENT_GONE',
) =>
  defineCommand({
    summary,
    positionals: 'AGENT...',
    about: `${summary}
${NAMES}`,
    options: clusterOptions,
    run: (values, names) =>
      forEachAgent(values, names, outcome, (cluster, agent_id) =>
        resultOf<unknown>(cluster, cluster.master.call(type, { agent_id })),
      ),
  });

const deactivate = defineAgentCall('Stops offering agents; their tasks continue.', 'deactivated', 'DEACTIVATE_AGENT');
const reactivate = defineAgentCall('Offers deactivated or drained agents again.', 'active', 'REACTIVATE_AGENT');
const gone = defineAgentCall(
  'Marks agents gone: their tasks are lost, and they cannot register again.',
  'gone',
  'MARK_AGENT_GONE',
);

export const agent: Group = {
  summary: 'Manages the agents of a cluster. Without a verb it runs an agent: meseta agent --master=HOST:PORT ...',
  verbs: { list, drain, deactivate, reactivate, gone },
};
