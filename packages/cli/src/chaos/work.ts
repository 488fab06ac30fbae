// The framework of a chaos run: it launches batches of short tasks, each of which records that it ran, and follows them to their
// ends.
//
// Owns: the tasks that were launched, and the last state of each.
// CHAOS-WORK-1: a task's id is launched once. Whether it ran is read from the file that it wrote, whatever the cluster reports.
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandTask, connectScheduler, fits, isTerminal, launch, type Offer, type TaskInfo } from '@meseta/sdk';

export interface Outcome {
  /** Tasks that ran. */
  readonly started: number;
  readonly finished: number;
  /** Tasks whose launch was lost with a master or an agent, and which the cluster reports as such: they never ran. */
  readonly notStarted: number;
  /** A line each: tasks that ran and were reported lost or failed, or did not run and were reported finished. */
  readonly lost: readonly string[];
  /** Tasks that ran more than once. */
  readonly doubled: readonly string[];
  /** Tasks that never got a terminal state. */
  readonly unknown: readonly string[];
}

export interface Work {
  /** Launches no more, waits until each task has ended or the time has passed, and tears the framework down. */
  finish(timeoutMs: number): Promise<Outcome>;
  /** Rejects when the framework cannot go on. */
  readonly failure: Promise<never>;
  /** The number of tasks launched so far, and of those that have ended. */
  counts(): { readonly launched: number; readonly ended: number };
}

interface Task {
  readonly id: string;
  readonly agentId: string;
  state: string;
  reason: string;
  changedMs: number;
}

const BATCH = 8;
const MAX_OPEN = 40;
const RESOURCES = { cpus: 0.1, mem: 16 };
const RECONCILE_MS = 3000;
const SECONDS = ['0', '0.5', '2', '5'];

export function startWork(master: string, directory: string, onSubscribed: () => void): Work {
  const runs = join(directory, 'runs');
  mkdirSync(runs);
  const tasks = new Map<string, Task>();
  const openTasks = (): readonly Task[] => [...tasks.values()].filter(({ state }) => !isTerminal(state));
  let isFinishing = false;
  const scheduler = connectScheduler({ master, framework: { name: 'meseta chaos' } });
  /** A call that is lost with its master is made up for by a reconciliation. */
  const attempt = (call: Promise<void>): Promise<void> => call.catch(() => {});

  const reconcile = async (idleMs: number): Promise<void> => {
    const untilMs = performance.now() - idleMs;
    const idle = openTasks().filter(({ changedMs }) => changedMs <= untilMs);
    if (idle.length === 0) return;
    const named = idle.map(({ id, agentId }) => ({ task_id: { value: id }, agent_id: { value: agentId } }));
    await attempt(scheduler.call('RECONCILE', { reconcile: { tasks: named } }));
  };
  const useOffer = async (offer: Offer): Promise<void> => {
    const room = isFinishing ? 0 : Math.min(BATCH, MAX_OPEN - openTasks().length, fits(offer, RESOURCES));
    const batch: TaskInfo[] = [];
    for (let n = 0; n < room; n++) {
      const id = `task-${tasks.size}`;
      const seconds = SECONDS[tasks.size % SECONDS.length];
      const command = `echo ran >> '${join(runs, id)}'; sleep ${seconds}`;
      batch.push(commandTask(offer, { id, command, resources: RESOURCES }));
      tasks.set(id, { id, agentId: offer.agent_id.value, state: 'launched', reason: '', changedMs: performance.now() });
    }
    const filters = { refuse_seconds: 0.5 };
    const accept = { offer_ids: [offer.id], operations: [launch(batch)], filters };
    await attempt(
      batch.length === 0
        ? scheduler.call('DECLINE', { decline: { offer_ids: [offer.id], filters } })
        : scheduler.call('ACCEPT', { accept }),
    );
  };
  const read = async (): Promise<void> => {
    for await (const event of scheduler) {
      if (event.subscribed) {
        onSubscribed();
        await reconcile(0);
      }
      for (const offer of event.offers?.offers ?? []) await useOffer(offer);
      const status = event.update?.status;
      const task = status && tasks.get(status.task_id.value);
      if (status === undefined || task === undefined || isTerminal(task.state)) continue;
      task.state = status.state;
      task.reason = `${status.reason ?? ''} ${status.message ?? ''}`.trim();
      task.changedMs = performance.now();
    }
  };
  const timer = setInterval(() => void reconcile(RECONCILE_MS), RECONCILE_MS);
  const failure = read().then(() => new Promise<never>(() => {}));
  failure.catch(() => {});
  return {
    failure,
    counts: () => ({ launched: tasks.size, ended: tasks.size - openTasks().length }),
    async finish(timeoutMs) {
      isFinishing = true;
      const untilMs = performance.now() + timeoutMs;
      while (openTasks().length > 0 && performance.now() < untilMs)
        await new Promise((resolve) => setTimeout(resolve, 100));
      clearInterval(timer);
      await scheduler.teardown().catch(() => scheduler.close());
      return outcomeOf([...tasks.values()], runs);
    },
  };
}

/** CHAOS-WORK-1 */
export function outcomeOf(tasks: readonly Pick<Task, 'id' | 'state' | 'reason'>[], runs: string): Outcome {
  const ran = new Map(
    readdirSync(runs).map((id) => [id, readFileSync(join(runs, id), 'utf8').split('\n').length - 1] as const),
  );
  const lost: string[] = [];
  const unknown: string[] = [];
  let [finished, notStarted] = [0, 0];
  for (const { id, state, reason } of tasks) {
    const hasRun = (ran.get(id) ?? 0) > 0;
    if (!isTerminal(state)) unknown.push(`${id}: ${state}${hasRun ? ', ran' : ''}`);
    else if ((state === 'TASK_FINISHED') !== hasRun)
      lost.push(`${id}: ${state} ${reason}${hasRun ? ', ran' : ', did not run'}`);
    else if (hasRun) finished++;
    else notStarted++;
  }
  const doubled = [...ran].filter(([, count]) => count > 1).map(([id, count]) => `${id}: ran ${count} times`);
  return { started: ran.size, finished, notStarted, lost, doubled, unknown };
}
