// Finds agents, frameworks and machines by the names that people use for them.
import type { AgentInfo, FrameworkInfo, MachineID, MasterResponseGetAgentsAgent } from '@meseta/sdk';
import { type Cluster, resultOf } from './cluster.js';
import { CommandError } from './command.js';

/** An agent by its id, the end of its id (`S3`), its hostname or hostname:port. */
export async function agentNamed(cluster: Cluster, name: string): Promise<MasterResponseGetAgentsAgent> {
  const { agents = [] } = await resultOf(cluster, cluster.master.call('GET_AGENTS'));
  return findOnly(
    'agent',
    name,
    agents.filter(({ agent_info: info }) => hasName(info, name)),
    ({ agent_info: info }) => `${info.id?.value} (${info.hostname}:${info.port ?? 5051})`,
  );
}

const hasName = ({ id, hostname, port }: AgentInfo, name: string): boolean =>
  id?.value === name ||
  id?.value.endsWith(`-${name}`) === true ||
  hostname === name ||
  `${hostname}:${port ?? 5051}` === name;

/** The id of a registered agent by its name, or any whole id: an agent that is not registered can be marked gone. */
export async function agentIdNamed(cluster: Cluster, name: string): Promise<{ readonly value: string }> {
  if (/-S\d+$/.test(name)) return { value: name };
  const { agent_info } = await agentNamed(cluster, name);
  return agent_info.id ?? { value: name };
}

/** The id of a framework by its id, the end of its id, or its name; of a completed framework only by its id. */
export async function frameworkIdNamed(cluster: Cluster, name: string): Promise<string> {
  const answer = await resultOf(cluster, cluster.master.call('GET_FRAMEWORKS'));
  const infos = (answer.frameworks ?? []).map(({ framework_info }) => framework_info);
  const completed = (answer.completed_frameworks ?? []).map(({ framework_info }) => framework_info);
  if (completed.some(({ id }) => id?.value === name)) return name;
  const hasFrameworkName = (info: FrameworkInfo): boolean =>
    info.id?.value === name || info.name === name || info.id?.value.endsWith(`-${name}`) === true;
  const found = findOnly(
    'framework',
    name,
    infos.filter(hasFrameworkName),
    (info) => `${info.id?.value} (${info.name})`,
  );
  return found.id?.value ?? name;
}

/** The machine HOST or HOST/IP, or the machine of the agent with this name. */
export async function machineNamed(cluster: Cluster, name: string): Promise<MachineID> {
  const { agents = [] } = await resultOf(cluster, cluster.master.call('GET_AGENTS'));
  const agent = agents.find(({ agent_info }) => hasName(agent_info, name));
  const ip = /@\[?([^\]]+?)\]?:\d+$/.exec(agent?.pid ?? '')?.[1];
  if (agent !== undefined) return { hostname: agent.agent_info.hostname, ...(ip === undefined ? {} : { ip }) };
  const [hostname = '', address] = name.split('/');
  return { hostname, ...(address === undefined ? {} : { ip: address }) };
}

export const machineText = ({ hostname, ip }: MachineID): string =>
  [hostname, ip].filter((part) => part !== undefined && part !== '').join('/');

function findOnly<T>(what: string, name: string, found: readonly T[], describe: (one: T) => string): T {
  const [first, another] = found;
  if (first === undefined) throw new CommandError(`no ${what} ${name}; 'meseta ${what} list' shows them`);
  if (another !== undefined) {
    throw new CommandError(`several ${what}s match ${name}: expected one of ${found.map(describe).join(', ')}`);
  }
  return first;
}
