// A framework that runs a list of command tasks on whatever it is offered, and acknowledges every update.
import { commandTask, fits, isTerminal, launch } from '@meseta/sdk/tasks';
import type { Offer, SchedulerEvent, TaskInfo } from '@meseta/wire';
import { type BenchScheduler, subscribe } from './scheduler.js';

export interface TaskRun {
  readonly scheduler: BenchScheduler;
  /** The moments of `performance.now()` at which a task was accepted, said to run, said to have ended. */
  readonly acceptedMs: ReadonlyMap<string, number>;
  readonly runningMs: ReadonlyMap<string, number>;
  readonly endedMs: ReadonlyMap<string, number>;
  /** Every task has come to `goal` and every update so far is acknowledged. */
  readonly done: Promise<void>;
}

export interface TaskRunOptions {
  readonly master: string;
  readonly name: string;
  readonly count: number;
  readonly command: string;
  readonly resources: Readonly<Record<string, number>>;
  readonly goal: 'running' | 'finished';
  /** No more than these are used of one offer. */
  readonly perOffer?: number | undefined;
  readonly connections?: number | undefined;
  /** Wants no offers before its REVIVE. */
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
    take(state, event, scheduler).catch(fail);
  };
  const scheduler = await subscribe({ master, name, connections, suppressed, onEvent });
  return { scheduler, ...times, done };
}

async function take(state: State, event: SchedulerEvent, scheduler: BenchScheduler): Promise<void> {
  if (event.error !== undefined) throw new Error(event.error.message);
  if (event.offers !== undefined) await Promise.all((event.offers.offers ?? []).map((it) => use(state, it, scheduler)));
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

async function use(state: State, offer: Offer, scheduler: BenchScheduler): Promise<void> {
  const { name, count, command, resources, perOffer = count } = state.options;
  const chosen: TaskInfo[] = [];
  const room = Math.min(perOffer, fits(offer, resources), count - state.launched);
  for (let at = 0; at < room; at++) {
    const id = `${name}-${state.launched++}`;
    chosen.push(commandTask(offer, { id, command, resources }));
    state.acceptedMs.set(id, performance.now());
  }
  const filters = { refuse_seconds: state.launched < count ? 0 : 3600 };
  if (chosen.length === 0) {
    await scheduler.call({ type: 'DECLINE', decline: { offer_ids: [offer.id], filters } });
    return;
  }
  const accept = { offer_ids: [offer.id], operations: [launch(chosen)], filters };
  await scheduler.call({ type: 'ACCEPT', accept });
}
