// Runs many seeds in worker processes.
import type { ChildProcess } from 'node:child_process';
import { planOf } from './plan.js';
import { type Outcome, simulate } from './simulation.js';

export interface SwarmOptions {
  /** May be endless if `goOn` ends the swarm. */
  readonly seeds: Iterable<number>;
  readonly workers: number;
  /** A process that calls `serveSwarm`, with an IPC channel of advanced serialization. */
  startWorker(): ChildProcess;
  outcome(outcome: Outcome): void;
  /** Called before each seed; returns false to end the swarm. */
  goOn?(): boolean;
}

/** Resolves when every seed has its outcome; rejects when a worker dies. */
export async function runSwarm({ seeds, workers, startWorker, outcome, goOn }: SwarmOptions): Promise<void> {
  const source = seeds[Symbol.iterator]();
  const next = (): number | undefined => {
    if (goOn?.() === false) return undefined;
    const { value, done } = source.next();
    return done === true ? undefined : value;
  };
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = startWorker();
      let finished = false;
      const sendNextSeed = (): void => {
        const seed = next();
        if (seed !== undefined) worker.send(seed);
        else {
          finished = true;
          worker.disconnect();
        }
      };
      worker.on('message', (message) => {
        outcome(message as Outcome);
        sendNextSeed();
      });
      worker.on('error', reject);
      worker.on('exit', (code) => (finished ? resolve() : reject(new Error(`a worker ended with status ${code}`))));
      sendNextSeed();
    });
  await Promise.all(Array.from({ length: workers }, work));
}

/** Serves a swarm in a worker process: receives seeds and sends their outcomes until the channel is closed. */
export function serveSwarm(): void {
  process.on('message', (seed) => {
    process.send?.(simulate(planOf(seed as number)));
  });
}
