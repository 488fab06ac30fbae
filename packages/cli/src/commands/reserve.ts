// `meseta reserve` and `meseta unreserve`: resources of an agent for one role alone.
import type { Resource } from '@meseta/sdk';
import { answerOf, clusterOf, printJson } from '../cluster.js';
import { CommandError, clusterOptions, defineCommand, EXIT, usageError } from '../command.js';
import { agentNamed } from '../names.js';
import { parseResources, reservedFor } from '../resources.js';

const role = { type: 'string', value: 'ROLE', help: 'whom they are for' } as const;

export const reserve = defineCommand({
  summary: 'Reserves resources of an agent for a role.',
  words: 'AGENT RESOURCES',
  about: `Reserves free resources of an agent for a role, as in: meseta reserve S0 'cpus:2;mem:1024' --role=web`,
  options: {
    ...clusterOptions,
    role,
    label: { type: 'string', multiple: true, default: [] as string[], value: 'KEY=VALUE', help: 'again for each' },
  },
  async run(values, [name = '', text = ''], path) {
    if (values.role === undefined) throw usageError(path, '--role is missing');
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
    await answerOf(
      cluster,
      cluster.master.call('RESERVE_RESOURCES', { agent_id: agent_info.id ?? { value: name }, resources }),
    );
    if (values.json) printJson(resources);
    else process.stdout.write(`${agent_info.hostname}: ${text} reserved for ${values.role}\n`);
    return EXIT.done;
  },
});

export const unreserve = defineCommand({
  summary: 'Gives reserved resources back.',
  words: 'AGENT RESOURCES',
  about: `Gives resources that are reserved for a role back to everybody: meseta unreserve S0 'cpus:2' --role=web`,
  options: { ...clusterOptions, role },
  async run(values, [name = '', text = ''], path) {
    const from = values.role;
    if (from === undefined) throw usageError(path, '--role is missing');
    const cluster = clusterOf(values);
    const { agent_info, total_resources = [] } = await agentNamed(cluster, name);
    const resources = parseResources(path, text).map((wanted) => withReservation(wanted, total_resources, from));
    await answerOf(
      cluster,
      cluster.master.call('UNRESERVE_RESOURCES', { agent_id: agent_info.id ?? { value: name }, resources }),
    );
    if (values.json) printJson(resources);
    else process.stdout.write(`${agent_info.hostname}: ${text} no longer reserved for ${from}\n`);
    return EXIT.done;
  },
});

/** The reservation as the agent has it, principal and labels and all: the master compares all of it. */
function withReservation(wanted: Resource, total: readonly Resource[], role: string): Resource {
  const held = total.find(
    (resource) =>
      resource.name === wanted.name && resource.disk?.persistence === undefined && reservedFor(resource, role),
  );
  if (held?.reservations === undefined) throw new CommandError(`no ${wanted.name} is reserved for ${role} there`);
  return { ...wanted, reservations: held.reservations, ...(held.disk && { disk: held.disk }) };
}
