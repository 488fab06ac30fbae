// `meseta roles`: lists roles with weight, quota and resources.
import { clusterOf, printRows } from '../cluster.js';
import { clusterOptions, defineCommand, EXIT } from '../command.js';
import { amountsText, type RoleRow, rolesOf } from '../roles-table.js';

export const roles = defineCommand({
  summary: 'Lists roles with weight, quota and resources.',
  positionals: '',
  about: 'Lists the roles that have frameworks, weights, quota or reservations.',
  options: clusterOptions,
  async run(values) {
    const rows = await rolesOf(clusterOf(values));
    printRows(values.json, rows, columns, rows);
    return EXIT.done;
  },
});

const columns = [
  { title: 'role', value: ({ name }: RoleRow) => name },
  { title: 'weight', value: ({ weight }: RoleRow) => weight, align: 'right' as const },
  { title: 'frameworks', value: ({ frameworks }: RoleRow) => frameworks.length, align: 'right' as const },
  { title: 'allocated', value: ({ allocated }: RoleRow) => amountsText(allocated) },
  { title: 'offered', value: ({ offered }: RoleRow) => amountsText(offered) },
  { title: 'reserved', value: ({ reserved }: RoleRow) => amountsText(reserved) },
  { title: 'guarantee', value: ({ quota }: RoleRow) => amountsText(quota?.guarantee) },
  { title: 'limit', value: ({ quota }: RoleRow) => amountsText(quota?.limit, 'shown') },
];
