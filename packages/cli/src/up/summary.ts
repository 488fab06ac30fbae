// The results of the workload as text.
import { formatSpan, formatTable } from '../table.js';
import type { Progress, TaskRecord } from './workload.js';

/** `waiting 20 · staging 5 · running 35 · finished 140` */
export function progressLine({ tasks }: Progress): string {
  const counts = countBy([...tasks.values()], (task) => task.state.replace('TASK_', '').toLowerCase());
  return [...counts].map(([state, count]) => `${state} ${count}`).join(' · ');
}

export function summarize(progress: Progress, nowMs: number): string {
  const tasks = [...progress.tasks.values()];
  const latencies = tasks
    .flatMap(({ acceptedAtMs, runningAtMs }) =>
      acceptedAtMs === undefined || runningAtMs === undefined ? [] : [runningAtMs - acceptedAtMs],
    )
    .sort((a, b) => a - b);
  const kinds = [...new Set(tasks.map(({ kind }) => kind))];
  const agents = [...new Set(tasks.map(({ agent }) => agent ?? 'nowhere'))].sort();
  const count = (kind: string, agent: string): number =>
    tasks.filter((task) => task.kind === kind && (task.agent ?? 'nowhere') === agent).length;
  const lines = [
    `${tasks.length} tasks in ${formatSpan(nowMs - progress.startedAtMs)}`,
    '',
    'By state',
    indent(
      formatTable(
        [
          { title: 'state', value: ([state]) => state },
          { title: 'tasks', value: ([, number]) => number, align: 'right' },
        ],
        [...countBy(tasks, ({ state }) => state)],
      ),
    ),
    '',
    `Launch latency (ACCEPT to TASK_RUNNING): ${quantiles(latencies)}`,
    '',
    'Tasks by kind and agent',
    indent(
      formatTable(
        [
          { title: 'kind', value: (kind: string) => kind },
          ...agents.map((agent) => ({
            title: agent,
            value: (kind: string) => count(kind, agent),
            align: 'right' as const,
          })),
        ],
        kinds,
      ),
    ),
  ];
  const failed = tasks.filter(({ state }) => state !== 'TASK_FINISHED');
  const shown = failed.slice(0, 5).map(({ id, state, message }) => `  ${id}: ${state} ${message ?? ''}`);
  return [...lines, ...(failed.length > 0 ? ['', 'Not finished', ...shown] : [])].join('\n');
}

export const allFinished = (progress: Progress): boolean =>
  [...progress.tasks.values()].every(({ state }) => state === 'TASK_FINISHED');

function quantiles(sorted: readonly number[]): string {
  const at = (share: number): string =>
    formatSpan(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  return sorted.length === 0 ? 'none ran' : `p50 ${at(0.5)}, p90 ${at(0.9)}, max ${at(1)}`;
}

function countBy(tasks: readonly TaskRecord[], key: (task: TaskRecord) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const task of tasks) counts.set(key(task), (counts.get(key(task)) ?? 0) + 1);
  return counts;
}

const indent = (text: string): string =>
  text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
