// `meseta weights`: lists and sets the weights of roles in the fair shares.
import { clusterOf, printJson, resultOf } from '../cluster.js';
import { clusterOptions, defineCommand, EXIT, usageError } from '../command.js';
import type { Group } from '../dispatch.js';
import { defineListing } from '../listing.js';
import { printText } from '../output.js';

interface WeightRow {
  readonly role?: string | undefined;
  readonly weight: number;
}

const columns = [
  { title: 'role', value: ({ role }: WeightRow) => role },
  { title: 'weight', value: ({ weight }: WeightRow) => weight, align: 'right' as const },
];

const list = defineListing(
  'Lists the weights that were set; every other role has weight 1.',
  columns,
  async (cluster) => {
    const { weight_infos = [] } = await resultOf(cluster, cluster.master.call('GET_WEIGHTS'));
    return { document: weight_infos, rows: weight_infos };
  },
);

const set = defineCommand({
  summary: 'Sets the weights of roles.',
  positionals: 'ROLE=WEIGHT...',
  about: 'Sets the weights of roles: a role with weight 2 has twice the fair share of a role with weight 1.',
  options: clusterOptions,
  async run(values, pairs, path) {
    const weight_infos = pairs.map((pair) => {
      const at = pair.lastIndexOf('=');
      const weight = Number(pair.slice(at + 1));
      if (at <= 0 || !(weight > 0)) throw usageError(path, `expected ROLE=WEIGHT with a weight above 0, got '${pair}'`);
      return { role: pair.slice(0, at), weight };
    });
    const cluster = clusterOf(values);
    await resultOf(cluster, cluster.master.call('UPDATE_WEIGHTS', { weight_infos }));
    if (values.json) printJson(weight_infos);
    else for (const { role, weight } of weight_infos) printText(`${role}: ${weight}`);
    return EXIT.done;
  },
});

export const weights: Group = { summary: 'Manages the weights of roles.', verbs: { list, set } };
