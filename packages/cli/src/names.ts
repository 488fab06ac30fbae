// Agents and frameworks by what people call them.
import type { AgentInfo, FrameworkInfo, MachineID, MasterResponseGetAgentsAgent } from '@meseta/sdk';
import { answerOf, type Cluster } from './cluster.js';
import { CommandError } from './command.js';

/** An agent by its id, the end of its id (`S3`), its hostname or hostname:port. */
export async function agentNamed(cluster: Cluster, name: string): Promise<MasterResponseGetAgentsAgent> {
  const { agents = [] } = await answerOf(cluster, cluster.master.call('GET_AGENTS'));
  return only(
    'agent',
    name,
    agents.filter(({ agent_info: info }) => isCalled(info, name)),
    ({ agent_info: info }) => `${info.id?.value} (${info.hostname}:${info.port ?? 5051})`,
  );
}

const isCalled = ({ id, hostname, port }: AgentInfo, name: string): boolean =>
  id?.value === name ||
  id?.value.endsWith(`-${name}`) === true ||
  hostname === name ||
  `${hostname}:${port ?? 5051}` === name;

/** The id of an agent, registered or (by its whole id) not: an agent that is gone can be marked so. */
export async function agentIdNamed(cluster: Cluster, name: string): Promise<{ readonly value: string }> {
  if (/-S\d+$/.test(name)) return { value: name };
  const { agent_info } = await agentNamed(cluster, name);
  return agent_info.id ?? { value: name };
}

/** A framework by its id, the end of its id, or its name; one that has ended only by its id. */
export async function frameworkIdNamed(cluster: Cluster, name: string): Promise<string> {
  const answer = await answerOf(cluster, cluster.master.call('GET_FRAMEWORKS'));
  const infos = (answer.frameworks ?? []).map(({ framework_info }) => framework_info);
  const ended = (answer.completed_frameworks ?? []).map(({ framework_info }) => framework_info);
  if (ended.some(({ id }) => id?.value === name)) return name;
  const called = (info: FrameworkInfo): boolean =>
    info.id?.value === name || info.name === name || info.id?.value.endsWith(`-${name}`) === true;
  const found = only('framework', name, infos.filter(called), (info) => `${info.id?.value} (${info.name})`);
  return found.id?.value ?? name;
}

/** HOST, HOST/IP, or what names an agent: then the machine that it is on. */
export async function machineNamed(cluster: Cluster, name: string): Promise<MachineID> {
  const { agents = [] } = await answerOf(cluster, cluster.master.call('GET_AGENTS'));
  const agent = agents.find(({ agent_info }) => isCalled(agent_info, name));
  const ip = /@\[?([^\]]+?)\]?:\d+$/.exec(agent?.pid ?? '')?.[1];
  if (agent !== undefined) return { hostname: agent.agent_info.hostname, ...(ip === undefined ? {} : { ip }) };
  const [hostname = '', address] = name.split('/');
  return { hostname, ...(address === undefined ? {} : { ip: address }) };
}

export const machineText = ({ hostname, ip }: MachineID): string =>
  [hostname, ip].filter((part) => part !== undefined && part !== '').join('/');

function only<T>(what: string, name: string, found: readonly T[], describe: (one: T) => string): T {
  const [first, another] = found;
  if (first === undefined) throw new CommandError(`no ${what} ${name}`);
  if (another !== undefined) {
    throw new CommandError(`several ${what}s are called ${name}: name one of ${found.map(describe).join(', ')}`);
  }
  return first;
}
