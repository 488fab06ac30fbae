// `meseta reserve` and `meseta unreserve`: dynamic reservations of an agent's resources for a role.
import type { Resource } from '@meseta/sdk';
import { clusterOf, printJson, resultOf } from '../cluster.js';
import { CommandError, clusterOptions, defineCommand, EXIT, usageError } from '../command.js';
import { agentNamed } from '../names.js';
import { printText } from '../output.js';
import { isReservedFor, parseResources } from '../resources.js';

const role = { type: 'string', value: 'ROLE', help: 'the role of the reservation' } as const;

export const reserve = defineCommand({
  summary: 'Reserves resources of an agent for a role.',
  positionals: 'AGENT RESOURCES',
  about: `Reserves free resources of an agent for a role, as in: meseta reserve S0 'cpus:2;mem:1024' --role=web`,
  options: {
    ...clusterOptions,
    role,
    label: {
      type: 'string',
      multiple: true,
      default: [] as string[],
      value: 'KEY=VALUE',
      help: 'a label of the reservation; repeatable',
    },
  },
  async run(values, [name = '', text = ''], path) {
    if (values.role === undefined) throw usageError(path, '--role: expected a role, got nothing');
    const labels = values.label.map((pair) => {
      const [key = '', ...value] = pair.split('=');
      return { key, ...(value.length > 0 && { value: value.join('=') }) };
    });
    const reservation = {
      ...(values.principal !== undefined && { principal: values.principal }),
      ...(labels.length > 0 && { labels: { labels } }),
      role: values.role,
      type: 'DYNAMIC' as const,
    };
    const cluster = clusterOf(values);
    const { agent_info } = await agentNamed(cluster, name);
    const resources = parseResources(path, text).map((resource) => ({ ...resource, reservations: [reservation] }));
    await resultOf(
      cluster,
      cluster.master.call('RESERVE_RESOURCES', { agent_id: agent_info.id ?? { value: name }, resources }),
    );
    if (values.json) printJson(resources);
    else printText(`${agent_info.hostname}: ${text} reserved for ${values.role}`);
    return EXIT.done;
  },
});

export const unreserve = defineCommand({
  summary: 'Returns reserved resources to all roles.',
  positionals: 'AGENT RESOURCES',
  about: `Returns resources that are reserved for a role to all roles: meseta unreserve S0 'cpus:2' --role=web`,
  options: { ...clusterOptions, role },
  async run(values, [name = '', text = ''], path) {
    const { role } = values;
    if (role === undefined) throw usageError(path, '--role: expected a role, got nothing');
    const cluster = clusterOf(values);
    const { agent_info, total_resources = [] } = await agentNamed(cluster, name);
    const resources = parseResources(path, text).map((wanted) => withReservation(wanted, total_resources, role));
    await resultOf(
      cluster,
      cluster.master.call('UNRESERVE_RESOURCES', { agent_id: agent_info.id ?? { value: name }, resources }),
    );
    if (values.json) printJson(resources);
    else printText(`${agent_info.hostname}: ${text} no longer reserved for ${role}`);
    return EXIT.done;
  },
});

/** Adds the reservation as the agent reports it: the master compares its principal and labels too. */
function withReservation(wanted: Resource, total: readonly Resource[], role: string): Resource {
  const reserved = total.find(
    (resource) =>
      resource.name === wanted.name && resource.disk?.persistence === undefined && isReservedFor(resource, role),
  );
  if (reserved?.reservations === undefined)
    throw new CommandError(`no ${wanted.name} of the agent is reserved for ${role}`);
  return { ...wanted, reservations: reserved.reservations, ...(reserved.disk && { disk: reserved.disk }) };
}
