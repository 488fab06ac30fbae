// Draws the plots of docs/scale.md from the stored results of the experiments.
import { assert } from '@meseta/base';
import type { AllocationResult } from './allocation.js';
import { mean, rounded } from './figures.js';
import type { HoldResult } from './hold.js';
import type { KeptResults } from './kept.js';
import type { LoadResult } from './paper-load.js';
import { type Sample, type SharingResult, speedUps } from './sharing.js';
import { type Axis, barPlot, linePlot } from './svg.js';

export interface Drawn {
  /** The file name without its extension. */
  readonly name: string;
  readonly svg: string;
}

const AGENTS: Axis = { label: 'agents', scale: 'logarithmic' };
const linear = (label: string): Axis => ({ label, scale: 'linear' });

const drawAllocation = (results: readonly AllocationResult[]): Drawn => {
  const series = (name: string, of: (result: AllocationResult) => number) => ({
    name,
    points: results.map((result): [number, number] => [result.agents, of(result)]),
  });
  const svg = linePlot({
    title: `A run of the allocator, ${results[0]?.frameworks} frameworks`,
    x: AGENTS,
    y: { label: 'milliseconds of CPU', scale: 'logarithmic' },
    marks: true,
    series: [
      series('all agents free', (it) => it.allFreeMs),
      series('a hundredth freed', (it) => it.hundredthFreedMs),
      series('one freed', (it) => it.oneFreedMs),
      series('nothing changed', (it) => it.nothingNewMs),
    ],
  });
  return { name: 'scale-allocation', svg };
};

const grouped = (agents: number): string => `${agents.toLocaleString('en')} agents`;

const drawLaunch = (hold: readonly HoldResult[], load: readonly LoadResult[]): readonly Drawn[] => [
  {
    name: 'scale-launch',
    svg: barPlot({
      title: 'The load of the NSDI paper: launches, and the overhead of a new framework',
      y: 'milliseconds of virtual time',
      groups: load.map(({ agents }) => grouped(agents)),
      series: [
        { name: 'ACCEPT to TASK_RUNNING, p50', values: load.map(({ launchMs }) => launchMs.p50) },
        { name: 'the same, p99', values: load.map(({ launchMs }) => launchMs.p99) },
        { name: 'overhead, p50', values: load.map(({ overheadMs }) => overheadMs.p50) },
        { name: 'overhead, longest', values: load.map(({ overheadMs }) => overheadMs.max) },
      ],
    }),
  },
  {
    name: 'scale-cost',
    svg: barPlot({
      title: 'CPU of the master’s core, without sockets and codecs',
      y: 'microseconds',
      groups: hold.map(({ agents }) => grouped(agents)),
      series: [
        { name: 'per launched task', values: hold.map(({ cpuMicrosPerTask }) => cpuMicrosPerTask) },
        {
          name: 'per re-registered agent with ten tasks',
          values: hold.map(({ failover }) => failover.cpuMicrosPerAgent),
        },
      ],
    }),
  },
  {
    name: 'scale-memory',
    svg: barPlot({
      title: 'Memory of the simulation: master, agents, their machines, schedulers',
      y: 'bytes',
      groups: hold.map(({ agents }) => grouped(agents)),
      series: [
        { name: 'per agent', values: hold.map(({ bytesPerAgent }) => bytesPerAgent) },
        { name: 'per task', values: hold.map(({ bytesPerTask }) => bytesPerTask) },
      ],
    }),
  },
];

const drawFailover = (results: readonly HoldResult[]): Drawn => ({
  name: 'scale-failover',
  svg: linePlot({
    title: 'Agents that have re-registered after the end of the leader, ten tasks each',
    x: linear('seconds of virtual time'),
    y: linear('share of the agents'),
    marks: false,
    series: results.map(({ agents, failover }) => ({ name: grouped(agents), points: failover.curve })),
  }),
});

const used = ({ running }: Sample): number => running.reduce((sum, count) => sum + count, 0);
const MEAN_OF = 6;

/** Means of successive samples, for lines that do not flicker. */
function smooth(samples: readonly Sample[], of: (sample: Sample) => number): readonly (readonly [number, number])[] {
  return Array.from({ length: Math.floor(samples.length / MEAN_OF) }, (_, at) => {
    const some = samples.slice(at * MEAN_OF, (at + 1) * MEAN_OF);
    return [(some[0]?.seconds ?? 0) / 60, some.reduce((sum, sample) => sum + of(sample), 0) / some.length] as const;
  });
}

function drawSharing(results: readonly SharingResult[]): readonly Drawn[] {
  const result = results.find(({ samples }) => samples !== undefined);
  assert(result?.samples !== undefined, 'one seed has its samples');
  const { workloads, samples } = result;
  const cpus = result.agents * result.cpusPerAgent;
  const percent = (sample: Sample): number => (100 * used(sample)) / cpus;
  const kinds = (some: readonly Sample[], title: string): string =>
    linePlot({
      title,
      x: linear('minutes'),
      y: linear('cpus in use'),
      marks: false,
      series: workloads.map(({ name }, index) => ({
        name,
        points: smooth(some, ({ running }) => running[index] ?? 0),
      })),
    });
  return [
    {
      name: 'sharing-utilisation',
      svg: linePlot({
        title: `Utilisation of ${cpus} cpus: four static quarters, and shared`,
        x: linear('minutes'),
        y: linear('% of all cpus in use'),
        marks: false,
        series: [
          { name: 'four quarters', points: smooth(samples.static, percent) },
          { name: 'shared', points: smooth(samples.shared, percent) },
        ],
      }),
    },
    { name: 'sharing-static', svg: kinds(samples.static, 'Static: each workload on a quarter') },
    { name: 'sharing-shared', svg: kinds(samples.shared, 'Shared: all four on the whole cluster') },
    {
      name: 'sharing-speed-up',
      svg: barPlot({
        title: 'Speed-up of the shared cluster over a quarter',
        y: 'speed-up',
        reference: 1,
        groups: workloads.map(({ name }) => name),
        series: [
          {
            name: `mean of ${results.length} seeds, with the lowest and the highest`,
            values: workloads.map((_, index) => rounded(mean(speedUps(results, index)))),
            ranges: workloads.map((_, index) => {
              const all = speedUps(results, index);
              return [Math.min(...all), Math.max(...all)] as const;
            }),
          },
        ],
      }),
    },
  ];
}

export const drawPlots = ({ allocation, hold, load, sharing }: KeptResults): readonly Drawn[] => [
  drawAllocation(allocation.results),
  ...drawLaunch(hold.results, load.results),
  drawFailover(hold.results),
  ...drawSharing(sharing.results),
];
