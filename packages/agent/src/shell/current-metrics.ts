// The agent's metrics at the time of a request.

import { cpus, freemem, loadavg, totalmem } from 'node:os';
import { gauge, type Metrics } from '@meseta/api';
import { createProcessStats } from '@meseta/platform/process-stats';
import { agentMetrics } from '../views/metrics.js';
import type { HttpOptions } from './http.js';

function systemMetrics(): Metrics {
  const [one = 0, five = 0, fifteen = 0] = loadavg();
  return new Map([
    ['system/cpus_total', gauge(cpus().length)],
    ['system/load_1min', gauge(one)],
    ['system/load_5min', gauge(five)],
    ['system/load_15min', gauge(fifteen)],
    ['system/mem_free_bytes', gauge(freemem())],
    ['system/mem_total_bytes', gauge(totalmem())],
  ]);
}

const processStats = createProcessStats();

export const currentMetrics = ({ core, containerizer, recoverySeconds, portMetrics }: HttpOptions): Metrics =>
  agentMetrics(core.state, {
    nowWallMs: Date.now(),
    recoverySeconds,
    system: systemMetrics(),
    fetcher: containerizer.fetcherMetrics(),
    imagePulls: containerizer.imagePulls,
    process: new Map([...processStats(), ...portMetrics()]),
  });
