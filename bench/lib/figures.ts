// What benchmarks measure: figures, each beside the yardstick of the same run and what is aimed at.
// A figure's value, yardstick and ratio are the medians of the runs, each taken by itself.
import { formatTable } from '@meseta/cli/table';
import { formatNumber, median } from './statistics.js';

export interface Aim {
  /** What is compared: the figure itself, or its ratio to the yardstick. */
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
  readonly yardstick?: { readonly name: string; readonly value: number } | undefined;
  readonly aim?: Aim | undefined;
}

/** One figure of all runs. */
export interface Figure extends Measured {
  readonly benchmark: string;
  readonly ratio: number | undefined;
  readonly runs: readonly number[];
  /** Undefined where nothing is aimed at. */
  readonly met: boolean | undefined;
}

/** The runs' figures by name, in the order of the first run that has them. */
export function summarize(benchmark: string, runs: readonly (readonly Measured[])[]): readonly Figure[] {
  const names = new Set(runs.flatMap((run) => run.map(({ name }) => name)));
  return [...names].map((name) => {
    const all = runs.flatMap((run) => run.filter((figure) => figure.name === name));
    const [first] = all as [Measured];
    const value = median(all.map((figure) => figure.value));
    const yardsticks = all.flatMap(({ yardstick }) => yardstick ?? []);
    const ratio =
      yardsticks.length === 0
        ? undefined
        : median(all.flatMap((figure) => (figure.yardstick ? [figure.value / figure.yardstick.value] : [])));
    return {
      benchmark,
      ...first,
      value,
      yardstick: first.yardstick && { name: first.yardstick.name, value: median(yardsticks.map((it) => it.value)) },
      ratio,
      runs: all.map((figure) => figure.value),
      met: first.aim && isMet(first.aim, value, ratio),
    };
  });
}

function isMet({ of, is, limit }: Aim, value: number, ratio: number | undefined): boolean {
  const compared = of === 'value' ? value : (ratio ?? Number.NaN);
  return is === 'at most' ? compared <= limit : compared >= limit;
}

/** `ratio at most 1.2` */
export const aimText = ({ of, is, limit }: Aim): string =>
  `${of === 'ratio' ? 'ratio ' : ''}${is} ${formatNumber(limit)}`;

/** `before`: what was kept of earlier runs. */
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
      { title: 'yardstick', value: ({ yardstick }) => yardstick && formatNumber(yardstick.value), align: 'right' },
      { title: 'which', value: ({ yardstick }) => yardstick?.name },
      { title: 'ratio', value: ({ ratio }) => ratio?.toFixed(2), align: 'right' },
      { title: 'aim', value: ({ aim }) => aim && aimText(aim) },
      { title: 'met', value: ({ met }) => (met === undefined ? undefined : met ? 'yes' : 'NO') },
    ],
    figures,
  );

function medianOf(figures: readonly Figure[], { benchmark, name }: Figure): string | undefined {
  const found = figures.find((figure) => figure.benchmark === benchmark && figure.name === name);
  return found && formatNumber(found.value);
}
