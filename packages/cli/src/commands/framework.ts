// `meseta framework list`: who is running on the cluster.
import type { MasterResponseGetFrameworksFramework } from '@meseta/sdk';
import { answerOf, clusterOf, printJson } from '../cluster.js';
import { CLUSTER_HELP, clusterOptions, EXIT, parse } from '../command.js';
import { dispatch } from '../dispatch.js';
import { formatTable } from '../table.js';

const USAGE = `Usage: meseta framework list [--all] [OPTION]...
The frameworks that are subscribed or may come back.

      --all                completed ones too
${CLUSTER_HELP}
`;

export const frameworkProgram = (argv: readonly string[]): Promise<number> =>
  dispatch('framework', USAGE, { list }, argv);

async function list(argv: readonly string[]): Promise<number> {
  const options = { ...clusterOptions, all: { type: 'boolean' } } as const;
  const { values } = parse('framework list', { args: [...argv], options });
  if (values.help) {
    process.stdout.write(USAGE);
    return EXIT.done;
  }
  const cluster = clusterOf(values);
  const answer = await answerOf(cluster, cluster.master.call('GET_FRAMEWORKS'));
  const rows = [
    ...(answer.frameworks ?? []).map((framework) => ({ framework, state: stateOf(framework) })),
    ...(values.all ? (answer.completed_frameworks ?? []) : []).map((framework) => ({ framework, state: 'completed' })),
  ];
  if (values.json) {
    printJson(rows.map(({ framework }) => framework));
    return EXIT.done;
  }
  process.stdout.write(`${formatTable(columns, rows)}\n`);
  return EXIT.done;
}

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
