// The resident spawner: a process in a session of its own that starts a container for each id it reads from its input.
// It never reads code: what a container runs is its file `plan`. It outlives the agent (its input
// ends, it waits for its containers and reaps them), and it is replaced every few hundred launches: a shell's job table
// slows it, and a spawner that is killed takes the exit statuses of what it has launched with it.
//
// What it is, a perl process that supervises its containers itself or a shell that forks a supervisor for each, is its
// `Supervision` (perl.ts, shell.ts).
import type { Processes, Result, RunningProcess } from '@meseta/base';
import type { CommandPlan, LaunchPlan } from '../plan/plan.js';

/** How a spawner is started, and how it reads plans. */
export interface Supervision {
  readonly program: string;
  readonly arguments: readonly string[];
  /** The plan as the spawner reads it, below the two lines that recovery reads; or why this machine can't carry it out. */
  planText(plan: LaunchPlan): Result<string, string>;
  /** The same for a process outside of the spawner, which runs in the plan's directory. */
  becoming(plan: CommandPlan): Result<Becoming, string>;
  /** It looks for ended supervisors only when it is told to. */
  readonly needsReaping: boolean;
}

/** A program that becomes what it reads from its input. */
export interface Becoming {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly input: string;
}

const launchesEach = 400;

export interface Spawner {
  /** The container's plan is there. */
  launch(containerId: string): void;
  /** Some supervisors have ended: collects them. */
  reap(): void;
  /** Ends the input: the spawner ends with the last of its containers. */
  close(): void;
}

interface Resident {
  launched: number;
  lines: string;
  running: RunningProcess | undefined;
  closed: boolean;
}

/**
 * @param directory holds the containers' files and the fifo `events`.
 * @param sessions is told the sessions of living spawners. A spawner that ends early may have launched some of its
 *   last ids or not: the containers' files tell (watchSupervisors), and the next launch starts another.
 */
export function createSpawner(
  processes: Processes,
  directory: string,
  supervision: Supervision,
  sessions: Set<number>,
): Spawner {
  let current: Resident | undefined;

  function start(): Resident {
    const it: Resident = { launched: 0, lines: '', running: undefined, closed: false };
    const request = { program: supervision.program, arguments: supervision.arguments, environment: {}, directory };
    void processes.startResident(request).then((started) => {
      if (!started.ok) {
        if (current === it) current = undefined;
        return;
      }
      it.running = started.value;
      sessions.add(started.value.pid);
      flush(it);
      void started.value.ended.then(() => {
        if (current === it) current = undefined;
        if (it.closed) sessions.delete(started.value.pid);
      });
    });
    return it;
  }

  const flush = (it: Resident): void => {
    if (it.lines !== '') it.running?.write(it.lines);
    if (it.running) it.lines = '';
    if (it.closed) it.running?.endInput();
  };

  /** What is sent in one turn is one write. */
  const send = (it: Resident, line: string): void => {
    if (it.lines === '' && it.running) queueMicrotask(() => flush(it));
    it.lines += line;
  };

  const finish = (it: Resident): void => {
    it.closed = true;
    flush(it);
  };

  return {
    launch(containerId) {
      if (current !== undefined && current.launched >= launchesEach) {
        finish(current);
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
      if (current !== undefined) finish(current);
      current = undefined;
    },
  };
}
