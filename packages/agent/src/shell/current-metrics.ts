// The agent's metrics as they are when somebody asks.
import { cpus, freemem, loadavg, totalmem } from 'node:os';
import { createProcessStats } from '@meseta/platform/process-stats';
import { agentMetrics } from '../views/metrics.js';
import type { HttpOptions } from './http.js';

function systemMetrics(): Readonly<Record<string, number>> {
  const [one = 0, five = 0, fifteen = 0] = loadavg();
  return {
    'system/cpus_total': cpus().length,
    'system/load_1min': one,
    'system/load_5min': five,
    'system/load_15min': fifteen,
    'system/mem_free_bytes': freemem(),
    'system/mem_total_bytes': totalmem(),
  };
}

const processStats = createProcessStats();

export const currentMetrics = ({
  core,
  containers,
  recoverySeconds,
  peerCounters,
}: HttpOptions): ReadonlyMap<string, number> =>
  agentMetrics(core.state, {
    nowWallMs: Date.now(),
    recoverySeconds,
    system: systemMetrics(),
    fetcher: containers.fetcherMetrics(),
    process: new Map([...processStats(), ...peerCounters()]),
  });
