// Frameworks that run a workload: each revives while it has tasks to launch, and suppresses offers otherwise.

import { between } from '@meseta/simulator/engine/chance';
import { isAlive } from '@meseta/simulator/nodes/framework-memory';
import type { SchedulerClient, Script } from '@meseta/simulator/nodes/scheduler';
import type { Offer, TaskStatus } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import type { ScaleCluster } from './cluster.js';
import { decline, type TaskShape, tasksWithin } from './tasks.js';
import type { Job, Workload } from './workloads.js';

export interface Driver {
  readonly name: string;
  /** Running tasks, from the status updates. */
  running(): number;
  /** Tasks that it would run if it had the resources, running ones included. */
  wanted(): number;
  /** Seconds that each job took that has ended, from its arrival to the end of its last task. */
  readonly jobSeconds: readonly number[];
}

/** What the task of a job, or of a service, needs to be launched; undefined: nothing is missing. */
interface Want {
  readonly count: number;
  /** Of one task. */
  command(): string;
  launched(taskIds: readonly string[]): void;
}

interface Hand {
  /** Wants may have changed. */
  look(): void;
  readonly client: SchedulerClient;
}

/** Takes offers while `want` answers something, and suppresses them while it doesn't. */
function take(
  cluster: ScaleCluster,
  name: string,
  shape: TaskShape,
  want: () => Want | undefined,
  told: (taskId: string, status: TaskStatus) => void,
): Hand {
  let suppressed = false;
  const use = (client: SchedulerClient, offer: Offer): boolean => {
    const wanted = want();
    if (wanted === undefined) return false;
    const tasks = tasksWithin(client, offer, shape, wanted.count, wanted.command);
    if (tasks.length === 0) return false;
    wanted.launched(tasks.map(({ task_id }) => task_id.value));
    client.launch([offer], tasks);
    return true;
  };
  const look = (): void => {
    if (!client.connected || suppressed === (want() === undefined)) return;
    suppressed = !suppressed;
    client.call({ type: suppressed ? 'SUPPRESS' : 'REVIVE' });
  };
  const script: Script = {
    offers(client, offers) {
      const unused = offers.filter((offer) => !use(client, offer));
      decline(client, unused, 1);
      look();
    },
    updated({ memory }, task, status) {
      told(task.id, status);
      if (isTerminal(status.state)) memory.tasks.delete(task.id);
      look();
    },
    subscribed: look,
  };
  const client = cluster.framework(name, script);
  return { look, client };
}

interface OpenJob {
  readonly arrivesMs: number;
  readonly taskMs: number;
  toLaunch: number;
  toFinish: number;
}

/** Jobs in the order of their arrival; `ended` may bring the next. */
function startJobs(
  cluster: ScaleCluster,
  name: string,
  shape: TaskShape,
  ended: (driver: JobDriver) => void,
): JobDriver {
  const { timeline } = cluster.world;
  const random = cluster.world.random(`tasks of ${name}`);
  const open: OpenJob[] = [];
  const jobOf = new Map<string, OpenJob>();
  const jobSeconds: number[] = [];
  let running = 0;

  const want = (): Want | undefined => {
    const job = open.find(({ toLaunch }) => toLaunch > 0);
    return (
      job && {
        count: job.toLaunch,
        command: () => `run ${Math.round(job.taskMs * between(random, 0.5, 1.5))}`,
        launched(taskIds) {
          job.toLaunch -= taskIds.length;
          for (const taskId of taskIds) jobOf.set(taskId, job);
        },
      }
    );
  };
  const hand = take(cluster, name, shape, want, (taskId, { state }) => {
    if (state === 'TASK_RUNNING') running++;
    const job = jobOf.get(taskId);
    if (job === undefined || !isTerminal(state)) return;
    running--;
    jobOf.delete(taskId);
    if (--job.toFinish > 0) return;
    open.splice(open.indexOf(job), 1);
    jobSeconds.push((timeline.nowMs() - job.arrivesMs) / 1000);
    ended(driver);
  });
  const driver: JobDriver = {
    name,
    running: () => running,
    wanted: () => open.reduce((sum, { toFinish }) => sum + toFinish, 0),
    jobSeconds,
    arrive({ tasks, taskMs }) {
      open.push({ arrivesMs: timeline.nowMs(), taskMs, toLaunch: tasks, toFinish: tasks });
      hand.look();
    },
  };
  return driver;
}

interface JobDriver extends Driver {
  arrive(job: Omit<Job, 'arrivesMs'>): void;
}

type Service = Extract<Workload, { readonly kind: 'service' }>;

function startService(cluster: ScaleCluster, startMs: number, { name, shape, wanted: curve }: Service): Driver {
  const { timeline } = cluster.world;
  let wanted = 0;
  let running = 0;
  let alive = 0;
  const want = (): Want | undefined => {
    const count = wanted - alive;
    const launched = (taskIds: readonly string[]): void => {
      alive += taskIds.length;
    };
    return count <= 0 ? undefined : { count, command: () => '', launched };
  };
  const hand = take(cluster, name, shape, want, (_taskId, { state }) => {
    if (state === 'TASK_RUNNING') running++;
    if (!isTerminal(state)) return;
    running--;
    alive--;
  });
  /** Those that are killed still run until they are told to have ended. */
  const killSurplus = (): void => {
    const { client } = hand;
    const kept = [...client.memory.tasks.values()].filter((task) => isAlive(task) && !task.killed);
    for (const task of kept.slice(wanted)) {
      task.killed = true;
      client.call({ type: 'KILL', kill: { task_id: { value: task.id }, agent_id: { value: task.agentId } } });
    }
  };
  for (const [fromMs, instances] of curve) {
    timeline.at(startMs + fromMs, () => {
      wanted = instances;
      killSurplus();
      hand.look();
    });
  }
  return { name, running: () => running, wanted: () => wanted, jobSeconds: [] };
}

/** Begins at `startMs` of virtual time. */
export function startWorkload(cluster: ScaleCluster, startMs: number, workload: Workload): Driver {
  if (workload.kind === 'service') return startService(cluster, startMs, workload);
  const { timeline } = cluster.world;
  if (workload.kind === 'jobs') {
    const driver = startJobs(cluster, workload.name, workload.shape, () => {});
    for (const job of workload.jobs) timeline.at(startMs + job.arrivesMs, () => driver.arrive(job));
    return driver;
  }
  const { job } = workload;
  const driver = startJobs(cluster, workload.name, workload.shape, (ended) => ended.arrive(job));
  timeline.at(startMs, () => driver.arrive(job));
  return driver;
}
