// Commands that list parts of the cluster: as a table, or with --json as a document.
import { type Cluster, clusterOf, printRows } from './cluster.js';
import { type Command, clusterOptions, defineCommand, EXIT } from './command.js';
import type { Column } from './table.js';

export interface Listing<Row> {
  readonly document: unknown;
  readonly rows: readonly Row[];
}

export const defineListing = <Row>(
  summary: string,
  columns: readonly Column<Row>[],
  read: (cluster: Cluster) => Promise<Listing<Row>>,
): Command =>
  defineCommand({
    summary,
    positionals: '',
    options: clusterOptions,
    async run(values) {
      const { document, rows } = await read(clusterOf(values));
      printRows(values.json, document, columns, rows);
      return EXIT.done;
    },
  });
