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
  /** The seconds of each job that has ended, from its arrival to the end of its last task. */
  readonly jobSeconds: readonly number[];
}

/** The tasks that a workload has to launch. */
interface Demand {
  readonly count: number;
  /** The command of the next task. */
  command(): string;
  launched(taskIds: readonly string[]): void;
}

interface Launcher {
  /** Called after the demand may have changed: revives or suppresses offers. */
  updateSuppression(): void;
  readonly client: SchedulerClient;
}

/** Starts a framework that launches tasks while `demandOf` returns a demand, and suppresses offers otherwise. */
function startLauncher(
  cluster: ScaleCluster,
  name: string,
  shape: TaskShape,
  demandOf: () => Demand | undefined,
  onUpdate: (taskId: string, status: TaskStatus) => void,
): Launcher {
  let suppressed = false;
  const use = (client: SchedulerClient, offer: Offer): boolean => {
    const demand = demandOf();
    if (demand === undefined) return false;
    const tasks = tasksWithin(client, offer, shape, demand.count, demand.command);
    if (tasks.length === 0) return false;
    demand.launched(tasks.map(({ task_id }) => task_id.value));
    client.launch([offer], tasks);
    return true;
  };
  const updateSuppression = (): void => {
    if (!client.connected || suppressed === (demandOf() === undefined)) return;
    suppressed = !suppressed;
    client.call({ type: suppressed ? 'SUPPRESS' : 'REVIVE' });
  };
  const script: Script = {
    offers(client, offers) {
      const unused = offers.filter((offer) => !use(client, offer));
      decline(client, unused, 1);
      updateSuppression();
    },
    updated({ memory }, task, status) {
      onUpdate(task.id, status);
      if (isTerminal(status.state)) memory.tasks.delete(task.id);
      updateSuppression();
    },
    subscribed: updateSuppression,
  };
  const client = cluster.framework(name, script);
  return { updateSuppression, client };
}

interface OpenJob {
  readonly arrivesMs: number;
  readonly taskMs: number;
  toLaunch: number;
  toFinish: number;
}

/** Runs jobs in the order of their arrival; `ended` is called after each and may add the next. */
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

  const demandOf = (): Demand | undefined => {
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
  const launcher = startLauncher(cluster, name, shape, demandOf, (taskId, { state }) => {
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
      launcher.updateSuppression();
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
  const demandOf = (): Demand | undefined => {
    const count = wanted - alive;
    const launched = (taskIds: readonly string[]): void => {
      alive += taskIds.length;
    };
    return count <= 0 ? undefined : { count, command: () => '', launched };
  };
  const launcher = startLauncher(cluster, name, shape, demandOf, (_taskId, { state }) => {
    if (state === 'TASK_RUNNING') running++;
    if (!isTerminal(state)) return;
    running--;
    alive--;
  });
  /** Killed tasks count as running until their terminal update. */
  const killSurplus = (): void => {
    const { client } = launcher;
    const tasks = [...client.memory.tasks.values()].filter((task) => isAlive(task) && !task.killed);
    for (const task of tasks.slice(wanted)) {
      task.killed = true;
      client.call({ type: 'KILL', kill: { task_id: { value: task.id }, agent_id: { value: task.agentId } } });
    }
  };
  for (const [fromMs, instances] of curve) {
    timeline.at(startMs + fromMs, () => {
      wanted = instances;
      killSurplus();
      launcher.updateSuppression();
    });
  }
  return { name, running: () => running, wanted: () => wanted, jobSeconds: [] };
}

/** Starts the workload at `startMs` of virtual time. */
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
