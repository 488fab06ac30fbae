// GET /health at a fixed rate, to measure how late the daemon's event loop answers.
import { Agent, get } from 'node:http';
import { quantile } from './statistics.js';

const EVERY_MS = 10;

/** Milliseconds. */
export interface HealthTimes {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface HealthProbe {
  stop(): HealthTimes;
}

export function probeHealth(address: string): HealthProbe {
  const [host, port] = address.split(':') as [string, string];
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const waited: number[] = [];
  const ask = (): void => {
    const begun = performance.now();
    const asked = get({ host, port, path: '/health', agent }, (response) => {
      response.resume();
      response.on('end', () => waited.push(performance.now() - begun));
    });
    asked.on('error', () => {});
  };
  const timer = setInterval(ask, EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
      agent.destroy();
      return { p50: quantile(waited, 0.5), p99: quantile(waited, 0.99), max: quantile(waited, 1) };
    },
  };
}
