// `meseta quota`: lists, sets and removes the guarantees and limits of roles.
import type { QuotaConfig } from '@meseta/sdk';
import { type Cluster, clusterOf, printJson, resultOf } from '../cluster.js';
import { clusterOptions, defineCommand, EXIT, usageError } from '../command.js';
import type { Group } from '../dispatch.js';
import { printText } from '../output.js';
import { parseScalars } from '../resources.js';
import { amountsText, type RoleRow, rolesOf } from '../roles-table.js';
import { formatTable } from '../table.js';

const configsOf = async (cluster: Cluster): Promise<readonly QuotaConfig[]> =>
  (await resultOf(cluster, cluster.master.call('GET_QUOTA'))).status.configs ?? [];

const list = defineCommand({
  summary: 'Lists guarantees, limits and consumption.',
  positionals: '',
  options: clusterOptions,
  async run(values) {
    const cluster = clusterOf(values);
    const configs = await configsOf(cluster);
    if (values.json) {
      printJson(configs);
      return EXIT.done;
    }
    const named = new Set(configs.map(({ role }) => role));
    const rows = (await rolesOf(cluster)).filter(({ name }) => named.has(name));
    printText(formatTable(columns, rows));
    return EXIT.done;
  },
});

const columns = [
  { title: 'role', value: ({ name }: RoleRow) => name },
  { title: 'guarantee', value: ({ quota: shown }: RoleRow) => amountsText(shown?.guarantee) },
  { title: 'limit', value: ({ quota: shown }: RoleRow) => amountsText(shown?.limit, 'shown') },
  { title: 'consumed', value: ({ quota: shown }: RoleRow) => amountsText(shown?.consumed) },
];

const force = { type: 'boolean', help: 'set the quota even if the cluster cannot satisfy all guarantees' } as const;

const set = defineCommand({
  summary: 'Sets the guarantee and the limit of a role.',
  positionals: 'ROLE',
  about: `Sets the guarantee and the limit of a role, as in --guarantee='cpus:4;mem:8192' --limit='cpus:8'. A
resource without a value keeps its quota; an empty text removes it; a limit of 0 forbids the resource.`,
  options: {
    ...clusterOptions,
    guarantee: { type: 'string', value: 'AMOUNTS', help: 'resources guaranteed to the role' },
    limit: { type: 'string', value: 'AMOUNTS', help: 'resources that the role may have at most' },
    force,
  },
  async run(values, [role = ''], path) {
    if (values.guarantee === undefined && values.limit === undefined) {
      throw usageError(path, 'expected --guarantee, --limit or both');
    }
    const given = {
      guarantees: values.guarantee === undefined ? undefined : parseScalars(path, 'guarantee', values.guarantee),
      limits: values.limit === undefined ? undefined : parseScalars(path, 'limit', values.limit),
    };
    const cluster = clusterOf(values);
    const before = (await configsOf(cluster)).find((config) => config.role === role);
    const config = {
      role,
      guarantees: given.guarantees ?? before?.guarantees ?? {},
      limits: given.limits ?? before?.limits ?? {},
    };
    await updateQuota(cluster, config, values.force);
    if (values.json) printJson(config);
    else printText(`${role}: set`);
    return EXIT.done;
  },
});

const remove = defineCommand({
  summary: 'Removes the quota of roles.',
  positionals: 'ROLE...',
  options: clusterOptions,
  async run(values, names) {
    const cluster = clusterOf(values);
    for (const role of names) {
      await updateQuota(cluster, { role }, true);
      if (!values.json) printText(`${role}: removed`);
    }
    return EXIT.done;
  },
});

const updateQuota = (cluster: Cluster, config: QuotaConfig, forced: boolean | undefined): Promise<unknown> =>
  resultOf(cluster, cluster.master.call('UPDATE_QUOTA', { quota_configs: [config], ...(forced && { force: true }) }));

export const quota: Group = { summary: 'Manages the quota of roles.', verbs: { list, set, remove } };
