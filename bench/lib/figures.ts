// The figures of benchmarks: each has a baseline from the same run and a target where they exist. Value, baseline and ratio
// of a figure are the medians of the runs, computed separately.
import { formatTable } from '@meseta/cli/table';
import { formatNumber, median } from './statistics.js';

export interface Target {
  /** The value compared with the limit: the figure, or its ratio to the baseline. */
  readonly of: 'value' | 'ratio';
  readonly is: 'at most' | 'at least';
  readonly limit: number;
}

/** One figure of one run. */
export interface Measured {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  /** In the same unit, from the same run. */
  readonly baseline?: { readonly name: string; readonly value: number } | undefined;
  readonly target?: Target | undefined;
}

/** One figure of all runs. */
export interface Figure extends Measured {
  readonly benchmark: string;
  readonly ratio: number | undefined;
  readonly runs: readonly number[];
  /** Undefined without a target. */
  readonly met: boolean | undefined;
}

/** The figures of all runs by name, in the order in which they first appear. */
export function summarize(benchmark: string, runs: readonly (readonly Measured[])[]): readonly Figure[] {
  const names = new Set(runs.flatMap((run) => run.map(({ name }) => name)));
  return [...names].map((name) => {
    const all = runs.flatMap((run) => run.filter((figure) => figure.name === name));
    const [first] = all as [Measured];
    const value = median(all.map((figure) => figure.value));
    const baselines = all.flatMap(({ baseline }) => baseline ?? []);
    const ratio =
      baselines.length === 0
        ? undefined
        : median(all.flatMap((figure) => (figure.baseline ? [figure.value / figure.baseline.value] : [])));
    return {
      benchmark,
      ...first,
      value,
      baseline: first.baseline && { name: first.baseline.name, value: median(baselines.map((it) => it.value)) },
      ratio,
      runs: all.map((figure) => figure.value),
      met: first.target && isMet(first.target, value, ratio),
    };
  });
}

function isMet({ of, is, limit }: Target, value: number, ratio: number | undefined): boolean {
  const compared = of === 'value' ? value : (ratio ?? Number.NaN);
  return is === 'at most' ? compared <= limit : compared >= limit;
}

/** `ratio at most 1.2` */
export const targetText = ({ of, is, limit }: Target): string =>
  `${of === 'ratio' ? 'ratio ' : ''}${is} ${formatNumber(limit)}`;

/** `before`: the stored figures of an earlier run. */
export const figuresTable = (figures: readonly Figure[], before: readonly Figure[] = []): string =>
  formatTable<Figure>(
    [
      { title: 'benchmark', value: ({ benchmark }) => benchmark },
      { title: 'figure', value: ({ name }) => name },
      { title: 'median', value: ({ value }) => formatNumber(value), align: 'right' },
      ...(before.length > 0
        ? [{ title: 'before', value: (figure: Figure) => medianOf(before, figure), align: 'right' } as const]
        : []),
      { title: 'unit', value: ({ unit }) => unit },
      { title: 'baseline', value: ({ baseline }) => baseline && formatNumber(baseline.value), align: 'right' },
      { title: 'baseline is', value: ({ baseline }) => baseline?.name },
      { title: 'ratio', value: ({ ratio }) => ratio?.toFixed(2), align: 'right' },
      { title: 'target', value: ({ target }) => target && targetText(target) },
      { title: 'met', value: ({ met }) => (met === undefined ? undefined : met ? 'yes' : 'NO') },
    ],
    figures,
  );

function medianOf(figures: readonly Figure[], { benchmark, name }: Figure): string | undefined {
  const found = figures.find((figure) => figure.benchmark === benchmark && figure.name === name);
  return found && formatNumber(found.value);
}
