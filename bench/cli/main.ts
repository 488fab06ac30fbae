// The start-up time of the CLI: the help of commands, with `node -e 0` as the baseline.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { benchmark, type Scale } from '../lib/benchmark.js';
import type { Measured } from '../lib/figures.js';
import { median } from '../lib/statistics.js';

const MAX_START_MS = 300;

function startMs(argv: readonly string[], count: number): number {
  const times = Array.from({ length: count }, () => {
    const begun = performance.now();
    spawnSync(process.execPath, argv, { stdio: 'ignore' });
    return performance.now() - begun;
  });
  return median(times);
}

async function starts({ full }: Scale): Promise<readonly Measured[]> {
  const count = full ? 20 : 5;
  const meseta = join(process.cwd(), 'dist/meseta.mjs');
  const baseline = { name: 'node -e 0', value: startMs(['-e', '0'], count) };
  const target = { of: 'value', is: 'at most', limit: MAX_START_MS } as const;
  const figure = (name: string, ...argv: readonly string[]): Measured => ({
    name,
    unit: 'ms',
    value: startMs([meseta, ...argv], count),
    baseline,
    target,
  });
  return [
    figure('meseta --version', '--version'),
    figure('meseta task list --help', 'task', 'list', '--help'),
    figure('meseta run --help', 'run', '--help'),
  ];
}

await benchmark('cli', starts);
