// `meseta volume`: persistent volumes on reserved disk.
import type { AgentID, MasterResponseGetAgentsAgent, Resource } from '@meseta/sdk';
import { type Cluster, clusterOf, printJson, resultOf } from '../cluster.js';
import { CommandError, clusterOptions, defineCommand, EXIT, parseNumber, usageError } from '../command.js';
import type { Group } from '../dispatch.js';
import { defineListing } from '../listing.js';
import { agentNamed } from '../names.js';
import { printText } from '../output.js';
import { isReservedFor, roleOf } from '../resources.js';

interface ListedVolume {
  readonly agent: MasterResponseGetAgentsAgent;
  readonly volume: Resource;
}

const volumesOf = (agent: MasterResponseGetAgentsAgent): readonly Resource[] =>
  (agent.total_resources ?? []).filter(({ disk }) => disk?.persistence !== undefined);

const columns = [
  { title: 'id', value: ({ volume }: ListedVolume) => volume.disk?.persistence?.id },
  { title: 'mb', value: ({ volume }: ListedVolume) => volume.scalar?.value, align: 'right' as const },
  { title: 'role', value: ({ volume }: ListedVolume) => roleOf(volume) },
  { title: 'path', value: ({ volume }: ListedVolume) => volume.disk?.volume?.container_path },
  { title: 'shared', value: ({ volume }: ListedVolume) => (volume.shared === undefined ? 'no' : 'yes') },
  { title: 'agent', value: ({ agent }: ListedVolume) => agent.agent_info.hostname },
];

const list = defineListing('Lists the persistent volumes of all agents.', columns, async (cluster) => {
  const { agents = [] } = await resultOf(cluster, cluster.master.call('GET_AGENTS'));
  const rows: readonly ListedVolume[] = agents.flatMap((agent) =>
    volumesOf(agent).map((volume) => ({ agent, volume })),
  );
  return { document: rows.map(({ agent, volume }) => ({ agent_id: agent.agent_info.id, volume })), rows };
});

const create = defineCommand({
  summary: 'Creates a volume on disk that is reserved for a role.',
  positionals: 'AGENT ID MB',
  about: `Creates the volume ID on disk that is reserved for a role: meseta volume create S0 data 512 --role=web`,
  options: {
    ...clusterOptions,
    role: { type: 'string', value: 'ROLE', help: 'the role of the reserved disk' },
    path: { type: 'string', value: 'PATH', help: 'the path in the sandbox of a task (default: ID)' },
    shared: { type: 'boolean', help: 'let several tasks use it at the same time' },
  },
  async run(values, [name = '', id = '', size = ''], path) {
    if (values.role === undefined) throw usageError(path, '--role: expected a role, got nothing');
    const cluster = clusterOf(values);
    const agent = await agentNamed(cluster, name);
    const persistence = { id, ...(values.principal !== undefined && { principal: values.principal }) };
    const volume: Resource = {
      ...reservedDisk(agent, values.role),
      scalar: { value: parseNumber(path, 'MB', size) },
      disk: { persistence, volume: { container_path: values.path ?? id, mode: 'RW' } },
      ...(values.shared && { shared: {} }),
    };
    const agent_id = agent.agent_info.id ?? { value: name };
    await resultOf(cluster, cluster.master.call('CREATE_VOLUMES', { agent_id, volumes: [volume] }));
    if (values.json) printJson(volume);
    else printText(`${id}: created on ${agent.agent_info.hostname}`);
    return EXIT.done;
  },
});

const destroy = defineCommand({
  summary: 'Destroys volumes and their contents.',
  positionals: 'AGENT ID...',
  options: clusterOptions,
  async run(values, [name = '', ...ids]) {
    const cluster = clusterOf(values);
    const agent = await agentNamed(cluster, name);
    const volumes = ids.map((id) => volumeNamed(agent, id));
    const agent_id = agent.agent_info.id ?? { value: name };
    await resultOf(cluster, cluster.master.call('DESTROY_VOLUMES', { agent_id, volumes }));
    if (!values.json) printText(`${ids.join(', ')}: destroyed`);
    return EXIT.done;
  },
});

interface Resize {
  readonly agent_id: AgentID;
  readonly volume: Resource;
  readonly size: { readonly value: number };
}

/** `outcome`: what happened to the given MB. */
const defineResize = (
  summary: string,
  about: string,
  outcome: string,
  resize: (cluster: Cluster, resized: Resize) => Promise<unknown>,
) =>
  defineCommand({
    summary,
    positionals: 'AGENT ID MB',
    about,
    options: clusterOptions,
    async run(values, [name = '', id = '', megabytes = ''], path) {
      const cluster = clusterOf(values);
      const agent = await agentNamed(cluster, name);
      const agent_id = agent.agent_info.id ?? { value: name };
      const size = { value: parseNumber(path, 'MB', megabytes) };
      await resize(cluster, { agent_id, volume: volumeNamed(agent, id), size });
      if (!values.json) printText(`${id}: ${megabytes} MB ${outcome}`);
      return EXIT.done;
    },
  });

const grow = defineResize(
  'Adds reserved disk to a volume.',
  'Adds MB of disk to a volume, from disk that is reserved for the same role.',
  'added',
  (cluster, { agent_id, volume, size }) => {
    const { disk: _, shared: __, ...rest } = volume;
    const addition = { ...rest, scalar: size };
    return resultOf(cluster, cluster.master.call('GROW_VOLUME', { agent_id, volume, addition }));
  },
);

const shrink = defineResize(
  'Removes disk from a volume.',
  'Removes MB of disk from a volume; the disk stays reserved for the role.',
  'removed',
  (cluster, { agent_id, volume, size }) =>
    resultOf(cluster, cluster.master.call('SHRINK_VOLUME', { agent_id, volume, subtract: size })),
);

function reservedDisk(agent: MasterResponseGetAgentsAgent, role: string): Resource {
  const disk = (agent.total_resources ?? []).find(
    (resource) => resource.name === 'disk' && resource.disk?.persistence === undefined && isReservedFor(resource, role),
  );
  if (disk !== undefined) return disk;
  const host = agent.agent_info.hostname;
  throw new CommandError(`no disk of ${host} is reserved for ${role}; 'meseta reserve' reserves disk`);
}

function volumeNamed(agent: MasterResponseGetAgentsAgent, id: string): Resource {
  const volume = volumesOf(agent).find(({ disk }) => disk?.persistence?.id === id);
  if (volume === undefined) throw new CommandError(`no volume ${id} on ${agent.agent_info.hostname}`);
  return volume;
}

export const volume: Group = { summary: 'Manages persistent volumes.', verbs: { list, create, destroy, grow, shrink } };
