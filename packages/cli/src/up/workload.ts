// The workload of `meseta up`: a batch framework on the SDK.
//
// Owns: the tasks to run and the state of each.
// WORKLOAD-1: every task is launched once and counted once, under its terminal state.
import { commandTask, connectScheduler, fits, isTerminal, launch, type Offer, type TaskInfo } from '@meseta/sdk';

interface Kind {
  readonly name: string;
  /** The number of tasks of this kind among ten. */
  readonly share: number;
  readonly command: string;
  readonly resources: Readonly<Record<string, number>>;
}

const KINDS: readonly Kind[] = [
  { name: 'hello', share: 4, command: 'echo "hello from $MESOS_TASK_ID"', resources: { cpus: 0.1, mem: 32 } },
  { name: 'wait', share: 3, command: 'sleep 0.5', resources: { cpus: 0.1, mem: 32 } },
  {
    name: 'count',
    share: 2,
    command: 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo $i',
    resources: { cpus: 0.5, mem: 64 },
  },
  {
    name: 'files',
    share: 1,
    command: 'seq 1 1000 > numbers && sort -r numbers | head -3',
    resources: { cpus: 0.2, mem: 32, disk: 16 },
  },
];

export interface TaskRecord {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly agent: string | undefined;
  readonly acceptedAtMs: number | undefined;
  readonly runningAtMs: number | undefined;
  readonly message: string | undefined;
}

export interface Progress {
  readonly tasks: ReadonlyMap<string, TaskRecord>;
  readonly startedAtMs: number;
}

/** The name that `meseta up` gave the agent, else its address. */
const agentName = (offer: Offer): string =>
  offer.attributes?.find(({ name }) => name === 'name')?.text?.value ?? `${offer.hostname}:${offer.url?.address.port}`;

/** Runs `count` tasks to their ends; `onProgress` is called after each event. The signal ends the framework's connection. */
export async function runWorkload(
  master: string,
  count: number,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<Progress> {
  const kinds = KINDS.flatMap((kind) => Array.from({ length: kind.share }, () => kind));
  const kindOf = (at: number): Kind => kinds[at % kinds.length] as Kind;
  const tasks = new Map<string, TaskRecord>();
  for (let at = 0; at < count; at++) {
    const id = `${kindOf(at).name}-${at}`;
    const unknown = { agent: undefined, acceptedAtMs: undefined, runningAtMs: undefined, message: undefined };
    tasks.set(id, { id, kind: kindOf(at).name, state: 'waiting', ...unknown });
  }
  const progress: Progress = { tasks, startedAtMs: performance.now() };
  const waiting = [...tasks.keys()];
  const scheduler = connectScheduler({ master, framework: { name: 'meseta up', failover_timeout: 0 } });
  signal.addEventListener('abort', () => scheduler.close(), { once: true });
  if (count === 0) {
    scheduler.close();
    return progress;
  }

  /** Launches as many waiting tasks as fit into the offer. */
  const useOffer = async (offer: Offer): Promise<void> => {
    const chosen: TaskInfo[] = [];
    const allocated: Record<string, number> = {};
    while (waiting.length > 0) {
      const id = waiting[0] as string;
      const kind = KINDS.find(({ name }) => name === tasks.get(id)?.kind) as Kind;
      const needed = { ...allocated };
      for (const [name, value] of Object.entries(kind.resources)) needed[name] = (needed[name] ?? 0) + value;
      if (fits(offer, needed) < 1) break;
      Object.assign(allocated, needed);
      waiting.shift();
      chosen.push(commandTask(offer, { id, command: kind.command, resources: kind.resources }));
      tasks.set(id, {
        ...(tasks.get(id) as TaskRecord),
        state: 'TASK_STAGING',
        agent: agentName(offer),
        acceptedAtMs: performance.now(),
      });
    }
    const filters = { refuse_seconds: 0 };
    if (chosen.length === 0) await scheduler.call('DECLINE', { decline: { offer_ids: [offer.id], filters } });
    else await scheduler.call('ACCEPT', { accept: { offer_ids: [offer.id], operations: [launch(chosen)], filters } });
  };
  let ended = 0;
  for await (const event of scheduler) {
    for (const offer of event.offers?.offers ?? []) await useOffer(offer);
    const status = event.update?.status;
    const record = status && tasks.get(status.task_id.value);
    if (status && record && !isTerminal(record.state)) {
      tasks.set(record.id, {
        ...record,
        state: status.state,
        message: status.message,
        runningAtMs: record.runningAtMs ?? (status.state === 'TASK_RUNNING' ? performance.now() : undefined),
      });
      if (isTerminal(status.state)) ended++;
    }
    onProgress(progress);
    if (ended === count) {
      if (event.update) await scheduler.acknowledge(event.update);
      break;
    }
  }
  if (!signal.aborted) await scheduler.teardown();
  return progress;
}
