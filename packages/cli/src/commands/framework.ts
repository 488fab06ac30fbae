// `meseta framework`: lists frameworks and tears them down.
import type { MasterResponseGetFrameworksFramework } from '@meseta/sdk';
import { clusterOf, printJson, printRows, resultOf } from '../cluster.js';
import { clusterOptions, defineCommand, EXIT } from '../command.js';
import type { Group } from '../dispatch.js';
import { frameworkIdNamed } from '../names.js';
import { printText } from '../output.js';

const list = defineCommand({
  summary: 'Lists the frameworks that are subscribed or may fail over.',
  positionals: '',
  options: { ...clusterOptions, all: { type: 'boolean', help: 'include completed frameworks' } },
  async run(values) {
    const cluster = clusterOf(values);
    const answer = await resultOf(cluster, cluster.master.call('GET_FRAMEWORKS'));
    const completed = values.all ? (answer.completed_frameworks ?? []) : [];
    const rows = [
      ...(answer.frameworks ?? []).map((shown) => ({ framework: shown, state: stateOf(shown) })),
      ...completed.map((shown) => ({ framework: shown, state: 'completed' })),
    ];
    printRows(
      values.json,
      rows.map(({ framework: shown }) => shown),
      columns,
      rows,
    );
    return EXIT.done;
  },
});

const teardown = defineCommand({
  summary: 'Ends a framework and all its tasks.',
  positionals: 'FRAMEWORK',
  about: 'Ends a framework and all its tasks. FRAMEWORK is the id of a framework, the end of its id, or its name.',
  options: clusterOptions,
  async run(values, [name = '']) {
    const cluster = clusterOf(values);
    const value = await frameworkIdNamed(cluster, name);
    await resultOf(cluster, cluster.master.call('TEARDOWN', { framework_id: { value } }));
    if (values.json) printJson({ framework_id: value });
    else printText(`${value}: torn down`);
    return EXIT.done;
  },
});

export const framework: Group = { summary: 'Manages the frameworks of the cluster.', verbs: { list, teardown } };

const stateOf = ({ connected, recovered, active }: MasterResponseGetFrameworksFramework): string =>
  recovered ? 'recovered' : !connected ? 'disconnected' : active ? 'active' : 'inactive';

interface Row {
  readonly framework: MasterResponseGetFrameworksFramework;
  readonly state: string;
}

const columns = [
  { title: 'id', value: ({ framework }: Row) => framework.framework_info.id?.value },
  { title: 'name', value: ({ framework }: Row) => framework.framework_info.name },
  { title: 'user', value: ({ framework }: Row) => framework.framework_info.user },
  {
    title: 'roles',
    value: ({ framework: { framework_info } }: Row) => (framework_info.roles ?? [framework_info.role ?? '*']).join(','),
  },
  { title: 'state', value: ({ state }: Row) => state },
];
