// A master with emulated agents, running tasks and completed tasks.

import type { Daemon } from '@meseta/cli/testing/daemons';
import { createBenchDaemons } from './daemons.js';
import { type Emulator, ENDING_COMMAND, startEmulator } from './emulator.js';
import type { BenchScheduler } from './scheduler.js';
import { runTasks } from './task-runner.js';

const TASK = { cpus: 0.1, mem: 32 };

export interface FullCluster {
  readonly master: Daemon;
  readonly emulator: Emulator;
  /** The framework of the running tasks. */
  readonly scheduler: BenchScheduler;
  stop(): Promise<void>;
}

export async function fillCluster(agents: number, running: number, completed: number): Promise<FullCluster> {
  const daemons = createBenchDaemons();
  const master = await daemons.master(['--registry=in_memory', `--max_completed_tasks_per_framework=${completed + 1}`]);
  const emulator = await startEmulator({ master: master.address, agents, perAddress: 4 });
  const stop = async (): Promise<void> => {
    await emulator.stop();
    await daemons.stop();
  };
  try {
    await emulator.register();
    const fill = async (name: string, command: string, goal: 'running' | 'finished', count: number) => {
      const perOffer = Math.ceil(count / agents);
      const options = { master: master.address, name, command, goal, count, perOffer, connections: 8 };
      const run = await runTasks({ ...options, resources: TASK });
      await run.done;
      return run.scheduler;
    };
    const ended = await fill('batch', ENDING_COMMAND, 'finished', completed);
    ended.close();
    return { master, emulator, scheduler: await fill('service', 'sleep 3600', 'running', running), stop };
  } catch (cause) {
    await stop();
    throw cause;
  }
}
