// The tables of docs/scale.md, from the experiments' results: each stands between two markers of its name.
import { assert } from '@meseta/base';
import type { AllocationResult } from './allocation.js';
import { mean, rounded } from './figures.js';
import type { HoldResult } from './hold.js';
import type { KeptResults, Signed } from './kept.js';
import type { LoadResult } from './paper-load.js';
import { type SharingResult, speedUps, type WorkloadResult } from './sharing.js';

const shown = (value: number): string =>
  Number.isFinite(value) ? rounded(value).toLocaleString('en', { maximumFractionDigits: 6 }) : '-';
const exactly = (value: number): string => value.toLocaleString('en');
const percent = (share: number): string => `${shown(100 * share)} %`;

type Row = readonly string[];

function table(head: Row, rows: readonly Row[]): string {
  const rule = head.map((_, index) => (index === 0 ? '---' : '--:'));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const bySize = <T extends { readonly agents: number }>(
  results: readonly T[],
  rows: readonly (readonly [name: string, of: (result: T) => string])[],
): string =>
  table(
    ['', ...results.map(({ agents }) => `${exactly(agents)} agents`)],
    rows.map(([name, of]) => [name, ...results.map(of)]),
  );

const GIB = 2 ** 30;

const held = (results: readonly HoldResult[]): string =>
  bySize(results, [
    ['tasks', (it) => exactly(it.tasks)],
    ['time until all of them run (s)', (it) => shown(it.fillSeconds)],
    ['ACCEPT to TASK_RUNNING, p50 / p99 (ms)', ({ launchMs }) => `${shown(launchMs.p50)} / ${shown(launchMs.p99)}`],
    ['CPU of the master’s core per task (us)', (it) => shown(it.cpuMicrosPerTask)],
    ['memory of the whole simulation per agent (bytes)', (it) => exactly(it.bytesPerAgent)],
    ['memory per task (bytes)', (it) => exactly(it.bytesPerTask)],
    ['heap while all tasks run (GiB)', (it) => shown(it.heapBytes / GIB)],
  ]);

/** Of the largest cluster, what costs a hundredth of all or more. */
function steps(results: readonly HoldResult[]): string {
  const largest = results.at(-1);
  assert(largest !== undefined, 'there is a result');
  const all = Object.entries(largest.steps);
  const totalMs = all.reduce((sum, [, { ms }]) => sum + ms, 0);
  const shownOf = all.filter(([, { ms }]) => ms >= totalMs / 100).sort(([, a], [, b]) => b.ms - a.ms);
  return table(
    [`input, with ${exactly(largest.agents)} agents`, 'steps', 'us per step', 'us per task'],
    shownOf.map(([kind, { steps: count, ms }]) => [
      `\`${kind}\``,
      exactly(count),
      shown((1000 * ms) / count),
      shown((1000 * ms) / largest.tasks),
    ]),
  );
}

const failover = (results: readonly HoldResult[]): string =>
  bySize(results, [
    ['a new master is elected (s)', ({ failover: it }) => shown(it.electedSeconds)],
    ['half of the agents have re-registered (s)', ({ failover: it }) => shown(it.halfOfAgentsSeconds)],
    ['all agents with all tasks (s)', ({ failover: it }) => shown(it.allAgentsSeconds)],
    ['all frameworks have re-subscribed (s)', ({ failover: it }) => shown(it.allFrameworksSeconds)],
    ['CPU of the new master’s core meanwhile (s)', ({ failover: it }) => shown(it.masterCpuSeconds)],
    ['the same per agent with its tasks (us)', ({ failover: it }) => shown(it.cpuMicrosPerAgent)],
  ]);

const loaded = (results: readonly LoadResult[]): string =>
  bySize(results, [
    ['tasks launched per second', (it) => shown(it.launchedPerSecond)],
    ['task slots in use', (it) => percent(it.busy)],
    ['ACCEPT to TASK_RUNNING, p50 / p99 (ms)', ({ launchMs }) => `${shown(launchMs.p50)} / ${shown(launchMs.p99)}`],
    [
      'overhead of the single task, p50 / max (ms)',
      (it) => `${shown(it.overheadMs.p50)} / ${shown(it.overheadMs.max)}`,
    ],
    ['CPU of the master’s core per task (us)', (it) => shown(it.cpuMicrosPerTask)],
    ['the same per second of virtual time (s)', (it) => shown((it.cpuMicrosPerTask * it.launchedPerSecond) / 1e6)],
  ]);

const allocated = (results: readonly AllocationResult[]): string =>
  table(
    ['agents', 'all free (ms)', 'a hundredth freed (ms)', 'one freed (ms)', 'nothing changed (ms)'],
    results.map((it) => [
      exactly(it.agents),
      ...[it.allFreeMs, it.hundredthFreedMs, it.oneFreedMs, it.nothingNewMs].map(shown),
    ]),
  );

function shared(results: readonly SharingResult[]): string {
  const [first] = results;
  assert(first !== undefined, 'there is a result');
  const meanOf = (index: number, of: (workload: WorkloadResult) => number | undefined): number =>
    mean(results.map(({ workloads }) => of(workloads[index] as WorkloadResult) ?? Number.NaN));
  const cell = (index: number, side: 'static' | 'shared'): string => {
    const served = meanOf(index, (it) => it.served?.[side]);
    if (!Number.isNaN(served)) return `${percent(served)} of the wanted instances run`;
    const jobs = meanOf(index, (it) => it.jobsEnded[side]);
    return `${shown(meanOf(index, (it) => it.jobSeconds?.[side]))} s per job (${shown(jobs)} jobs)`;
  };
  const rows = first.workloads.map(({ name }, index): Row => {
    const all = speedUps(results, index);
    const spread = `${shown(mean(all))} (${shown(Math.min(...all))} to ${shown(Math.max(...all))})`;
    return [name, cell(index, 'static'), cell(index, 'shared'), spread];
  });
  const inUse = (side: 'static' | 'shared'): number => mean(results.map(({ utilisation }) => utilisation[side]));
  const ratios = results.map(({ utilisation }) => utilisation.shared / utilisation.static);
  const spread = `${shown(mean(ratios))} (${shown(Math.min(...ratios))} to ${shown(Math.max(...ratios))})`;
  const last: Row = ['cpus in use', percent(inUse('static')), percent(inUse('shared')), spread];
  return table(['workload', 'on its quarter', 'shared', 'speed-up'], [...rows, last]);
}

function circumstances(kept: KeptResults): string {
  const of = Object.entries(kept).map(([name, { machine, results }]) => {
    const { cores, processor, memoryGiB, node } = machine;
    const where = `${cores} cores (${processor}), ${memoryGiB} GiB, Node ${node}`;
    return `- \`${name}\`: ${where}; ${commitsText(results)}`;
  });
  return of.join('\n');
}

/** `commit abc`, or `commits abc (1,000 agents), def (50,000 agents)`. */
function commitsText(results: readonly Signed[]): string {
  const sizes = new Map<string, string[]>();
  for (const { commit = 'unknown', agents } of results) {
    sizes.set(commit, [...(sizes.get(commit) ?? []), exactly(agents)]);
  }
  const all = [...sizes];
  if (all.length === 1) return `commit ${all[0]?.[0]}`;
  return `commits ${all.map(([commit, of]) => `${commit} (${of.join(', ')} agents)`).join(', ')}`;
}

const tablesOf = (kept: KeptResults): Readonly<Record<string, string>> => ({
  circumstances: circumstances(kept),
  held: held(kept.hold.results),
  steps: steps(kept.hold.results),
  failover: failover(kept.hold.results),
  load: loaded(kept.load.results),
  allocation: allocated(kept.allocation.results),
  sharing: shared(kept.sharing.results),
});

/** A page with each part between two markers replaced by its table. */
export function withTables(page: string, kept: KeptResults): string {
  let text = page;
  for (const [name, content] of Object.entries(tablesOf(kept))) {
    const begin = `<!-- ${name}: written by \`npm run plots\` -->`;
    const end = `<!-- end of ${name} -->`;
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from === -1 || to < from) throw new Error(`the page lacks ${begin} or ${end}`);
    text = `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
  }
  return text;
}
