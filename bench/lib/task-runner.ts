// A framework that runs a number of command tasks on its offers and acknowledges every update.
import { commandTask, fits, launch } from '@meseta/sdk/tasks';
import type { Offer, SchedulerEvent, TaskInfo } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import { type BenchScheduler, subscribe } from './scheduler.js';

export interface TaskRun {
  readonly scheduler: BenchScheduler;
  /** When a task was accepted, reported as running and reported as ended, by `performance.now()`. */
  readonly acceptedMs: ReadonlyMap<string, number>;
  readonly runningMs: ReadonlyMap<string, number>;
  readonly endedMs: ReadonlyMap<string, number>;
  /** Resolves once every task has reached `goal` and every update was acknowledged. */
  readonly done: Promise<void>;
}

export interface TaskRunOptions {
  readonly master: string;
  readonly name: string;
  readonly count: number;
  readonly command: string;
  readonly resources: Readonly<Record<string, number>>;
  readonly goal: 'running' | 'finished';
  /** The most tasks launched on one offer. */
  readonly perOffer?: number | undefined;
  readonly connections?: number | undefined;
  /** Subscribes with suppressed roles. */
  readonly suppressed?: boolean | undefined;
}

interface State {
  readonly options: TaskRunOptions;
  readonly acceptedMs: Map<string, number>;
  readonly runningMs: Map<string, number>;
  readonly endedMs: Map<string, number>;
  launched: number;
  unacknowledged: number;
  readonly fail: (cause: Error) => void;
  readonly finish: () => void;
}

export async function runTasks(options: TaskRunOptions): Promise<TaskRun> {
  let finish: () => void = () => {};
  let fail: (cause: Error) => void = () => {};
  const done = new Promise<void>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  const { master, name, connections, suppressed } = options;
  const times = { acceptedMs: new Map(), runningMs: new Map(), endedMs: new Map() };
  const state: State = { options, ...times, launched: 0, unacknowledged: 0, fail, finish };
  const onEvent = (event: SchedulerEvent, scheduler: BenchScheduler): void => {
    handleEvent(state, event, scheduler).catch(fail);
  };
  const scheduler = await subscribe({ master, name, connections, suppressed, onEvent });
  return { scheduler, ...times, done };
}

async function handleEvent(state: State, event: SchedulerEvent, scheduler: BenchScheduler): Promise<void> {
  if (event.error !== undefined) throw new Error(event.error.message);
  if (event.offers !== undefined) await useAll(state, event.offers.offers ?? [], scheduler);
  if (event.update === undefined) return;
  const { status } = event.update;
  const id = status.task_id.value;
  const { goal, count } = state.options;
  if (isTerminal(status.state)) state.endedMs.set(id, performance.now());
  if (status.state === 'TASK_RUNNING') state.runningMs.set(id, performance.now());
  if (isTerminal(status.state) && (status.state !== 'TASK_FINISHED' || goal === 'running')) {
    throw new Error(`task ${id}: ${status.state} ${status.message ?? ''}`);
  }
  state.unacknowledged++;
  await scheduler.acknowledge(event.update);
  state.unacknowledged--;
  const reached = goal === 'running' ? state.runningMs : state.endedMs;
  if (reached.size === count && state.unacknowledged === 0) state.finish();
}

/** One ACCEPT for each offer that tasks fit into, one DECLINE for all others. */
async function useAll(state: State, offers: readonly Offer[], scheduler: BenchScheduler): Promise<void> {
  const chosen = offers.map((offer) => ({ offer, tasks: tasksFor(state, offer) }));
  const unused = chosen.flatMap(({ offer, tasks }) => (tasks.length === 0 ? [offer.id] : []));
  const filters = { refuse_seconds: state.launched < state.options.count ? 0 : 3600 };
  const calls = chosen.flatMap(({ offer, tasks }) =>
    tasks.length === 0
      ? []
      : [
          scheduler.call({
            type: 'ACCEPT',
            accept: { offer_ids: [offer.id], operations: [launch(tasks)], filters },
          }),
        ],
  );
  if (unused.length > 0) calls.push(scheduler.call({ type: 'DECLINE', decline: { offer_ids: unused, filters } }));
  await Promise.all(calls);
}

function tasksFor(state: State, offer: Offer): readonly TaskInfo[] {
  const { name, count, command, resources, perOffer = count } = state.options;
  const room = Math.min(perOffer, fits(offer, resources), count - state.launched);
  return Array.from({ length: room }, () => {
    const id = `${name}-${state.launched++}`;
    state.acceptedMs.set(id, performance.now());
    return commandTask(offer, { id, command, resources });
  });
}
