// The resident spawner: a process in a session of its own that launches a container for each id that it reads from its
// input. It reads no code: a container's file `plan` says what it runs. The spawner outlives the agent: when its input ends,
// it waits for its containers and reaps them. It is replaced every few hundred launches, because a shell slows down with
// its job table, and because the exit statuses of its containers are lost when a spawner is killed.
//
// `Supervision` says which program it is: a perl process that supervises its containers itself (perl.ts), or a shell that
// forks a supervisor for each (shell.ts).
import type { Processes, Result, RunningProcess } from '@meseta/base';
import type { CommandPlan, LaunchPlan } from '../plan/plan.js';

/** How a spawner is started, and the format of its plans. */
export interface Supervision {
  readonly program: string;
  readonly arguments: readonly string[];
  /** The plan below the two lines that recovery reads, or why this machine can't carry it out. */
  planText(plan: LaunchPlan): Result<string, string>;
  /** A process outside of the spawner that becomes the command; it runs in the directory that it is started in. */
  singleProcess(plan: CommandPlan): Result<SingleProcess, string>;
  /** Whether it collects ended supervisors only on request. */
  readonly needsReaping: boolean;
}

/** A program that becomes the command that it reads from its input. */
export interface SingleProcess {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly input: string;
}

const LAUNCHES_PER_SPAWNER = 400;

export interface Spawner {
  /** Launches a container whose plan is written. */
  launch(containerId: string): void;
  /** Collects the supervisors that have ended. */
  reap(): void;
  /** Ends the input: the spawner ends with the last of its containers. */
  close(): void;
}

interface SpawnerProcess {
  launched: number;
  lines: string;
  running: RunningProcess | undefined;
  closed: boolean;
}

/**
 * A spawner that ends early may or may not have launched its last ids: the containers' files tell (watchSupervisors), and
 * the next launch starts another spawner.
 * @param directory has the containers' files and the fifo `events`.
 * @param sessions gets the sessions of living spawners.
 */
export function createSpawner(
  processes: Processes,
  directory: string,
  supervision: Supervision,
  sessions: Set<number>,
): Spawner {
  let current: SpawnerProcess | undefined;

  function start(): SpawnerProcess {
    const spawner: SpawnerProcess = { launched: 0, lines: '', running: undefined, closed: false };
    const request = { program: supervision.program, arguments: supervision.arguments, environment: {}, directory };
    void processes.startResident(request).then((started) => {
      if (!started.ok) {
        if (current === spawner) current = undefined;
        return;
      }
      spawner.running = started.value;
      sessions.add(started.value.pid);
      flush(spawner);
      void started.value.ended.then(() => {
        if (current === spawner) current = undefined;
        if (spawner.closed) sessions.delete(started.value.pid);
      });
    });
    return spawner;
  }

  const flush = (spawner: SpawnerProcess): void => {
    if (spawner.lines !== '') spawner.running?.write(spawner.lines);
    if (spawner.running) spawner.lines = '';
    if (spawner.closed) spawner.running?.endInput();
  };

  /** The lines of one event-loop turn are one write. */
  const send = (spawner: SpawnerProcess, line: string): void => {
    if (spawner.lines === '' && spawner.running) queueMicrotask(() => flush(spawner));
    spawner.lines += line;
  };

  const endInput = (spawner: SpawnerProcess): void => {
    spawner.closed = true;
    flush(spawner);
  };

  return {
    launch(containerId) {
      if (current !== undefined && current.launched >= LAUNCHES_PER_SPAWNER) {
        endInput(current);
        current = undefined;
      }
      current ??= start();
      current.launched++;
      send(current, `${containerId}\n`);
    },
    reap() {
      if (current !== undefined && supervision.needsReaping) send(current, '\n');
    },
    close() {
      if (current !== undefined) endInput(current);
      current = undefined;
    },
  };
}
