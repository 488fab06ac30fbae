// `meseta explain`: the master's reasons why a framework gets no offer or a task does not run.
import { escapeControls } from '@meseta/base';
import type { ExplainedReason, Explanation } from '@meseta/sdk';
import { clusterOf, printJson, resultOf } from '../cluster.js';
import { clusterOptions, defineCommand, EXIT, usageError } from '../command.js';
import { agentIdNamed, frameworkIdNamed } from '../names.js';
import { printText } from '../output.js';

export const explain = defineCommand({
  summary: 'Explains why a framework gets no offer or a task does not run.',
  positionals: 'FRAMEWORK|task [TASK]',
  about: `meseta explain FRAMEWORK explains why the framework gets no offer, from any agent or from the one that --agent names.
meseta explain task TASK explains why the task does not run. With --framework it also explains a task that was never
launched. FRAMEWORK is the id of a framework, the end of its id, or its name.`,
  options: {
    ...clusterOptions,
    agent: { type: 'string', value: 'AGENT', help: 'only this agent, by its id, the end of its id or its hostname' },
    role: { type: 'string', value: 'ROLE', help: 'only this role of the framework' },
    framework: { type: 'string', value: 'FRAMEWORK', help: 'the framework of a task' },
  },
  choices: ['task'],
  async run(values, [first = '', task], path) {
    const isTask = first === 'task' && task !== undefined;
    if (!isTask && task !== undefined)
      throw usageError(path, `expected FRAMEWORK or 'task TASK', got '${first} ${task}'`);
    const cluster = clusterOf(values);
    const named = isTask ? values.framework : first;
    const explanation = await resultOf(
      cluster,
      cluster.master.explain({
        framework_id: named === undefined ? undefined : await frameworkIdNamed(cluster, named),
        agent_id: values.agent === undefined ? undefined : (await agentIdNamed(cluster, values.agent)).value,
        role: values.role,
        task_id: isTask ? task : undefined,
      }),
    );
    if (values.json) printJson(explanation);
    else printText(explanationText(explanation));
    return EXIT.done;
  },
});

export function explanationText({ answer, framework, reasons }: Explanation): string {
  const about =
    framework === undefined
      ? []
      : [
          '',
          `framework   ${framework.id} (${framework.name}), ${framework.status}`,
          `roles       ${framework.roles.map((role) => roleText(role, framework)).join(', ')}`,
          `offers      ${framework.open_offers} open`,
        ];
  return [answer, ...about, '', ...reasons.map(reasonText)].map(escapeControls).join('\n');
}

function roleText(role: string, framework: NonNullable<Explanation['framework']>): string {
  const share = framework.shares[role];
  const suppressed = framework.suppressed_roles.includes(role) ? 'suppressed' : undefined;
  const part = share === undefined ? undefined : `${(100 * share).toFixed(1)} % of the cluster`;
  const notes = [part, suppressed].filter((note) => note !== undefined).join(', ');
  return notes === '' ? role : `${role} (${notes})`;
}

function reasonText({ kind, text, role, agents, hostname, agent_id, until }: ExplainedReason): string {
  const place =
    agents !== undefined
      ? `${agents} agent${agents === 1 ? '' : 's'}${hostname === undefined ? '' : `, such as ${hostname}`}`
      : (hostname ?? agent_id);
  const where = [place, role && `role ${role}`].filter((part) => part !== undefined).join(', ');
  const validity = until === undefined ? '' : ` Until ${new Date(1000 * until).toISOString()}.`;
  return `- ${kind}${where === '' ? '' : ` (${where})`}: ${text}${validity}`;
}
