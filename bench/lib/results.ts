// Stored results: a JSON file for the last run of each benchmark, with commit, machine and load. Full runs are stored in
// bench/results and shown in bench/README.md, others in bench/results/local.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Figure, targetText } from './figures.js';
import { formatNumber } from './statistics.js';

/** Describes the run well enough to judge a figure, without identifying the machine. */
export interface Circumstances {
  /** Undefined outside a checkout. */
  readonly commit?: string | undefined;
  readonly date: string;
  readonly machine: {
    readonly cores: number;
    readonly processor: string;
    readonly memoryGiB: number;
    readonly node: string;
  };
  /** The load average of the minute before the run. */
  readonly loadBefore: number;
}

export interface Result extends Circumstances {
  readonly benchmark: string;
  readonly figures: readonly Figure[];
}

/** The results sorted by benchmark; empty if the folder does not exist. */
export function readResults(folder: string): readonly Result[] {
  try {
    const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
    return files.sort().map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Result);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Replaces the stored results of the same benchmarks. */
export function storeResults(folder: string, circumstances: Circumstances, figures: readonly Figure[]): void {
  mkdirSync(folder, { recursive: true });
  for (const benchmark of new Set(figures.map((figure) => figure.benchmark))) {
    const result: Result = {
      benchmark,
      ...circumstances,
      figures: figures.filter((figure) => figure.benchmark === benchmark),
    };
    writeFileSync(join(folder, `${benchmark}.json`), `${JSON.stringify(result, undefined, 2)}\n`);
  }
}

const BEGIN = '<!-- results: written by `npm run bench -- --full` -->';
const END = '<!-- end of results -->';

/** The page, with the text between its markers replaced by the table of the results. */
export function withResults(page: string, results: readonly Result[]): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`the page lacks ${BEGIN} or ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${resultsMarkdown(results)}\n\n${page.slice(end)}`;
}

function resultsMarkdown(results: readonly Result[]): string {
  const rows = results.flatMap(({ figures }) => figures.map(rowOf));
  const head = ['benchmark', 'figure', 'median', 'lowest to highest', 'baseline', 'ratio', 'target', 'met'];
  return [
    ...circumstancesLines(results),
    '',
    tableRow(head),
    tableRow(head.map(() => '---')),
    ...rows.map(tableRow),
  ].join('\n');
}

const tableRow = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

function rowOf({ benchmark, name, value, unit, runs, baseline, ratio, target, met }: Figure): readonly string[] {
  const spread = runs.length > 1 ? `${formatNumber(Math.min(...runs))} to ${formatNumber(Math.max(...runs))}` : '';
  return [
    `\`${benchmark}\``,
    name,
    `${formatNumber(value)} ${unit}`,
    spread,
    baseline === undefined ? '' : `${formatNumber(baseline.value)} (${baseline.name})`,
    ratio === undefined ? '' : ratio.toFixed(2),
    target === undefined ? '' : targetText(target),
    met === undefined ? '' : met ? 'yes' : '**no**',
  ];
}

/** A line for each group of benchmarks that ran together. */
function circumstancesLines(results: readonly Result[]): readonly string[] {
  const groups = new Map<string, string[]>();
  for (const { benchmark, commit, date, machine, loadBefore } of results) {
    const { cores, processor, memoryGiB, node } = machine;
    const of = commit === undefined ? '' : `commit ${commit}, `;
    const text = `${of}${date}, ${cores} cores (${processor}), ${memoryGiB} GiB, Node ${node}, load ${loadBefore} before`;
    groups.set(text, [...(groups.get(text) ?? []), `\`${benchmark}\``]);
  }
  return [...groups].map(([text, names]) => `- ${names.join(', ')}: ${text}`);
}
