// The figures that are kept: a file of JSON a benchmark, of its last run, with the commit, the machine and the load that they
// are of. Full runs stand in bench/results and in the table of bench/README.md, others in bench/results/local.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { aimText, type Figure } from './figures.js';
import { formatNumber } from './statistics.js';

/** Enough to judge a figure by, nothing that names the machine. */
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

/** By benchmark's name, sorted; empty where nothing was kept. */
export function readResults(folder: string): readonly Result[] {
  try {
    const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
    return files.sort().map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Result);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Replaces what is kept of the same benchmarks. */
export function keepResults(folder: string, circumstances: Circumstances, figures: readonly Figure[]): void {
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

/** A page with its part between the markers replaced by the table of the results. */
export function withResults(page: string, results: readonly Result[]): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`the page lacks ${BEGIN} or ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${resultsMarkdown(results)}\n\n${page.slice(end)}`;
}

function resultsMarkdown(results: readonly Result[]): string {
  const rows = results.flatMap(({ figures }) => figures.map(rowOf));
  const head = ['benchmark', 'figure', 'median', 'lowest to highest', 'yardstick', 'ratio', 'aim', 'met'];
  return [
    ...circumstancesLines(results),
    '',
    tableRow(head),
    tableRow(head.map(() => '---')),
    ...rows.map(tableRow),
  ].join('\n');
}

const tableRow = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

function rowOf({ benchmark, name, value, unit, runs, yardstick, ratio, aim, met }: Figure): readonly string[] {
  const spread = runs.length > 1 ? `${formatNumber(Math.min(...runs))} to ${formatNumber(Math.max(...runs))}` : '';
  return [
    `\`${benchmark}\``,
    name,
    `${formatNumber(value)} ${unit}`,
    spread,
    yardstick === undefined ? '' : `${formatNumber(yardstick.value)} (${yardstick.name})`,
    ratio === undefined ? '' : ratio.toFixed(2),
    aim === undefined ? '' : aimText(aim),
    met === undefined ? '' : met ? 'yes' : '**no**',
  ];
}

/** A line for all that were run together. */
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
