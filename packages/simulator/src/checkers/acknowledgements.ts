// Acknowledgements of status updates at the master.
import type { AgentId, FrameworkId, TaskId } from '@meseta/base';
import type { MasterProcess } from '../nodes/master.js';
import type { Cluster } from '../run/cluster.js';
import type { Checker, CheckerKind, Count } from './checker.js';

export const acknowledgements: CheckerKind = {
  name: 'acknowledgements',
  invariants: {
    'the master forwards no acknowledged update again':
      "A master that accepted a framework's acknowledgement does not forward the update again, even if the agent resends it.",
  },
  allowances: {
    disconnectedAgent:
      'The acknowledgement of an update of a disconnected agent is dropped, so the update is delivered again.',
    manyAcknowledged:
      'The master keeps the latest 32 acknowledgements of a task; an earlier update of it may be delivered again.',
    lostAgent: 'The master forgets what was acknowledged of tasks that are lost with their agent or its connection.',
    unknownTask:
      'An update of a task that the master does not know is forwarded each time: it keeps no acknowledgement of it.',
  },
  create: createAcknowledgementsChecker,
};

interface Acknowledged {
  readonly agentId: AgentId;
  readonly frameworkId: FrameworkId;
  readonly taskId: TaskId;
}

function createAcknowledgementsChecker({ world }: Cluster, count: Count): Checker {
  /** By master, then by the update's uuid. */
  const accepted = new Map<MasterProcess, Map<string, Acknowledged>>();
  /** Whether the master knew the task when the acknowledgement arrived that it handles now. */
  let knewTask = false;
  return {
    observer: {
      masterStarted: (master) => void accepted.set(master, new Map()),
      beforeMasterStep({ core }, input) {
        if (input.kind !== 'schedulerCall' || input.call.acknowledge === undefined) return;
        const framework = core.state.frameworks.get(input.call.framework_id?.value as FrameworkId);
        knewTask = framework?.tasks.has(input.call.acknowledge.task_id.value as TaskId) === true;
      },
      masterStepped(master, input, effects) {
        const known = accepted.get(master) ?? new Map<string, Acknowledged>();
        for (const effect of effects) {
          if (effect.kind === 'note' && effect.note.kind === 'agentRemoved') {
            for (const [uuid, { agentId }] of known) if (agentId === effect.note.agentId) known.delete(uuid);
          }
          if (effect.kind !== 'event' || effect.event.update?.status.uuid === undefined) continue;
          const { status } = effect.event.update;
          const acknowledged = known.get(status.uuid ?? '');
          if (acknowledged === undefined || !isKnown(master, acknowledged)) continue;
          const text = `${master.name}: ${status.state} of ${status.task_id.value}`;
          world.fail('the master forwards no acknowledged update again', text, [status.task_id.value]);
        }
        if (input.kind === 'message' && input.message.name === 'StatusUpdateMessage') {
          if (known.has(input.message.body.update.uuid ?? '')) count('acknowledged updates that were resent');
        }
        if (input.kind !== 'schedulerCall' || input.call.acknowledge === undefined) return;
        const { agent_id, task_id, uuid } = input.call.acknowledge;
        const isForwarded = effects.some(
          (it) => it.kind === 'send' && it.message.name === 'StatusUpdateAcknowledgementMessage',
        );
        if (!isForwarded || !knewTask) return;
        const frameworkId = input.call.framework_id?.value as FrameworkId;
        known.set(uuid, { agentId: agent_id.value as AgentId, frameworkId, taskId: task_id.value as TaskId });
        forgetEarlier(known, task_id.value as TaskId);
        count('acknowledgements accepted');
      },
    },
  };
}

/** `manyAcknowledged` */
const KEPT_PER_TASK = 32;

function forgetEarlier(known: Map<string, Acknowledged>, taskId: TaskId): void {
  const uuids = [...known].flatMap(([uuid, acknowledged]) => (acknowledged.taskId === taskId ? [uuid] : []));
  for (const uuid of uuids.slice(0, -KEPT_PER_TASK)) known.delete(uuid);
}

function isKnown({ core }: MasterProcess, { frameworkId, taskId, agentId }: Acknowledged): boolean {
  const framework = core.state.frameworks.get(frameworkId);
  if (framework?.tasks.get(taskId)?.agent_id.value === agentId) return true;
  const ended = [...(framework?.completedTasks.values() ?? [])].find((task) => task.task_id.value === taskId);
  // The status with which the master reported the task as lost has no uuid.
  return ended?.statuses?.at(-1)?.uuid !== undefined;
}
