// `meseta watch`: prints the operator's event stream, one line for each event, until Ctrl-C.
import { escapeControls } from '@meseta/base';
import type { MasterEvent } from '@meseta/sdk';
import { isFinalRefusal } from '@meseta/sdk/errors';
import { keepConnected } from '@meseta/sdk/reconnect';
import { clusterOf, jsonText, resultOf } from '../cluster.js';
import { clusterOptions, defineCommand, EXIT } from '../command.js';

export const watch = defineCommand({
  summary: 'Prints the events of the cluster.',
  positionals: '',
  about: `Prints events of agents, frameworks and tasks, one line each (with --json one JSON document each), until Ctrl-C.
When the connection to the master ends, it connects again.`,
  options: clusterOptions,
  async run(values) {
    const cluster = clusterOf(values);
    const show = (event: MasterEvent): void => {
      const line = values.json ? jsonText(event) : lineOf(event);
      if (line !== undefined) process.stdout.write(`${line}\n`);
    };
    let wasConnected = false;
    let mayRecover = false;
    await keepConnected({
      async connect(established) {
        if (wasConnected) process.stderr.write('meseta watch: the stream ended; connecting again\n');
        const opened = await cluster.master.subscribe();
        mayRecover = !opened.ok && !isFinalRefusal(opened.error);
        const events = await resultOf(cluster, Promise.resolve(opened));
        wasConnected = true;
        established();
        for await (const event of events) show(event);
      },
      // If the first attempt fails, the address may be wrong: the command ends with the error.
      isFinal: () => !wasConnected || !mayRecover,
    });
    return EXIT.done;
  },
});

/** Frameworks and agents choose names and messages. */
export function lineOf(event: MasterEvent): string | undefined {
  const text = textOf(event);
  return text === undefined ? undefined : `${new Date().toISOString()}  ${escapeControls(text)}`;
}

function textOf(event: MasterEvent): string | undefined {
  const { subscribed, task_added, task_updated, agent_added, agent_removed } = event;
  if (subscribed !== undefined) {
    const { get_agents, get_frameworks, get_tasks } = subscribed.get_state ?? {};
    const counts = [get_agents?.agents, get_frameworks?.frameworks, get_tasks?.tasks].map((list) => list?.length ?? 0);
    return `watching      ${counts[0]} agents, ${counts[1]} frameworks, ${counts[2]} tasks`;
  }
  if (task_added !== undefined) {
    const { task_id, framework_id, agent_id } = task_added.task;
    return `task added    ${framework_id.value}/${task_id.value} on ${agent_id.value}`;
  }
  if (task_updated !== undefined) {
    const { framework_id, status, state } = task_updated;
    const message = status.message ? `: ${status.message}` : '';
    return `task          ${framework_id.value}/${status.task_id.value} ${state}${message}`;
  }
  if (agent_added !== undefined) {
    const { id, hostname, port } = agent_added.agent.agent_info;
    return `agent added   ${id?.value} at ${hostname}:${port ?? 5051}`;
  }
  if (agent_removed !== undefined) return `agent removed ${agent_removed.agent_id.value}`;
  return frameworkText(event);
}

function frameworkText({ framework_added, framework_updated, framework_removed }: MasterEvent): string | undefined {
  const added = framework_added?.framework.framework_info;
  if (added !== undefined) return `framework     ${added.id?.value} (${added.name}) added`;
  const changed = framework_updated?.framework;
  if (changed !== undefined) {
    const { id, name } = changed.framework_info;
    return `framework     ${id?.value} (${name}) ${changed.active ? 'active' : changed.connected ? 'inactive' : 'disconnected'}`;
  }
  const removed = framework_removed?.framework_info;
  return removed && `framework     ${removed.id?.value} (${removed.name}) removed`;
}
