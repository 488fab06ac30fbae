// The delay of a daemon's event loop, from its metrics meseta/event_loop_delay_ms/*. They cover at most the minute after the
// previous read.

const EVERY_MS = 5000;

export interface LoopDelay {
  readonly p50: number;
  readonly p99: number;
}

export interface LoopDelayProbe {
  /** p99: the highest of all reads; p50: the last one. */
  stop(): Promise<LoopDelay>;
}

async function ask(address: string): Promise<LoopDelay> {
  const response = await fetch(`http://${address}/metrics/snapshot`);
  const metrics = (await response.json()) as Readonly<Record<string, number>>;
  const of = (share: string): number => metrics[`meseta/event_loop_delay_ms/${share}`] ?? Number.NaN;
  return { p50: of('p50'), p99: of('p99') };
}

export function probeLoopDelay(address: string): LoopDelayProbe {
  const asked: Promise<LoopDelay>[] = [];
  const timer = setInterval(() => asked.push(ask(address)), EVERY_MS);
  return {
    async stop() {
      clearInterval(timer);
      const last = await ask(address);
      const all = [...(await Promise.all(asked)), last];
      return { p50: last.p50, p99: Math.max(...all.map(({ p99 }) => p99)) };
    },
  };
}
