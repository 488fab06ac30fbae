// `meseta agent`: the agents of the cluster, how full they are, and taking them out of it.
import { type MasterResponseGetAgentsAgent, scalarSum } from '@meseta/sdk';
import { answerOf, type Cluster, clusterOf, printJson } from '../cluster.js';
import { clusterOptions, defineCommand, EXIT, parseNumber } from '../command.js';
import type { Group } from '../dispatch.js';
import { agentIdNamed } from '../names.js';
import { formatSpan, formatTable } from '../table.js';

const list = defineCommand({
  summary: 'Where they are, since when, and what of them is in use.',
  words: '',
  options: clusterOptions,
  async run(values) {
    const cluster = clusterOf(values);
    const { agents = [] } = await answerOf(cluster, cluster.master.call('GET_AGENTS'));
    if (values.json) printJson(agents);
    else process.stdout.write(`${formatTable(columns, agents)}\n`);
    return EXIT.done;
  },
});

const NAMES = 'AGENT is its id, the end of its id (S3), its hostname or hostname:port.';

type AgentId = { readonly value: string };

/** Names the agents first, so that a wrong name changes nothing. */
async function onEach(
  values: Parameters<typeof clusterOf>[0] & { readonly json?: boolean | undefined },
  names: readonly string[],
  said: string,
  act: (cluster: Cluster, agent_id: AgentId) => Promise<unknown>,
): Promise<number> {
  const cluster = clusterOf(values);
  const ids: AgentId[] = [];
  for (const name of names) ids.push(await agentIdNamed(cluster, name));
  for (const id of ids) {
    await act(cluster, id);
    if (!values.json) process.stdout.write(`${id.value}: ${said}\n`);
  }
  if (values.json) printJson(ids.map(({ value }) => value));
  return EXIT.done;
}

const drain = defineCommand({
  summary: 'Takes agents out of offers and ends their tasks.',
  words: 'AGENT...',
  about: `Takes agents out of offers and ends their tasks; 'meseta agent reactivate' brings them back.
${NAMES}`,
  options: {
    ...clusterOptions,
    grace: { type: 'string', value: 'SECONDS', help: "what tasks get at most to end (default: each task's own)" },
    'mark-gone': { type: 'boolean', help: 'when drained, declare it lost for good' },
  },
  run(values, names, path) {
    const seconds = values.grace === undefined ? undefined : parseNumber(path, 'grace', values.grace);
    return onEach(values, names, 'draining', (cluster, agent_id) =>
      answerOf(
        cluster,
        cluster.master.call('DRAIN_AGENT', {
          agent_id,
          ...(seconds !== undefined && {
            max_grace_period: { seconds: Math.floor(seconds), nanos: Math.round((seconds % 1) * 1e9) },
          }),
          ...(values['mark-gone'] && { mark_gone: true }),
        }),
      ),
    );
  },
});

const deactivate = defineCommand({
  summary: 'Makes no more offers of agents; their tasks go on.',
  words: 'AGENT...',
  about: `Makes no more offers of agents; their tasks go on.
${NAMES}`,
  options: clusterOptions,
  run: (values, names) =>
    onEach(values, names, 'deactivated', (cluster, agent_id) =>
      answerOf(cluster, cluster.master.call('DEACTIVATE_AGENT', { agent_id })),
    ),
});

const reactivate = defineCommand({
  summary: 'Makes offers of agents again.',
  words: 'AGENT...',
  about: `Makes offers of agents again that were deactivated or drained.
${NAMES}`,
  options: clusterOptions,
  run: (values, names) =>
    onEach(values, names, 'active', (cluster, agent_id) =>
      answerOf(cluster, cluster.master.call('REACTIVATE_AGENT', { agent_id })),
    ),
});

const gone = defineCommand({
  summary: 'Declares agents lost for good: their tasks are gone, they may never come back.',
  words: 'AGENT...',
  about: `Declares agents lost for good: their tasks are gone, they may never come back.
${NAMES}`,
  options: clusterOptions,
  run: (values, names) =>
    onEach(values, names, 'gone', (cluster, agent_id) =>
      answerOf(cluster, cluster.master.call('MARK_AGENT_GONE', { agent_id })),
    ),
});

export const agent: Group = {
  summary: 'The agents of a cluster. Without a verb it runs an agent: meseta agent --master=HOST:PORT ...',
  verbs: { list, drain, deactivate, reactivate, gone },
};

const used = (agent: MasterResponseGetAgentsAgent, name: string): string =>
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
  { title: 'cpus', value: (agent: MasterResponseGetAgentsAgent) => used(agent, 'cpus') },
  { title: 'mem', value: (agent: MasterResponseGetAgentsAgent) => used(agent, 'mem') },
  { title: 'disk', value: (agent: MasterResponseGetAgentsAgent) => used(agent, 'disk') },
  { title: 'up for', value: age },
];
