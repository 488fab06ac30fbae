// `meseta metrics`: the master's metrics under their names in Mesos.
import { clusterOf, printRows, resultOf } from '../cluster.js';
import { clusterOptions, defineCommand, EXIT } from '../command.js';

interface Metric {
  readonly name: string;
  readonly value?: number | undefined;
}

export const metrics = defineCommand({
  summary: "Prints the master's metrics.",
  positionals: '[TEXT...]',
  about: "Prints the master's metrics whose names contain one of the texts, or all without a text.",
  options: clusterOptions,
  async run(values, texts) {
    const cluster = clusterOf(values);
    const answer = await resultOf(cluster, cluster.master.call('GET_METRICS', {}));
    const shown = (answer.metrics ?? []).filter(
      ({ name }) => texts.length === 0 || texts.some((text) => name.includes(text)),
    );
    printRows(values.json, Object.fromEntries(shown.map(({ name, value }) => [name, value])), columns, shown);
    return EXIT.done;
  },
});

const columns = [
  { title: 'metric', value: ({ name }: Metric) => name },
  { title: 'value', value: ({ value }: Metric) => value, align: 'right' as const },
];
