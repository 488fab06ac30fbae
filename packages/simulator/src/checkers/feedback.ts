// The statuses of operations that a framework gave an id, which Mesos calls operation feedback.
import type { FrameworkId, OperationUuid } from '@meseta/base';
import type { MasterEffect } from '@meseta/master/core/io';
import type { OperationStatus } from '@meseta/wire';
import type { AgentNode } from '../nodes/agent.js';
import type { MasterProcess } from '../nodes/master.js';
import type { Cluster } from '../run/cluster.js';
import type { World } from '../world.js';
import type { Checker, CheckerKind, Count } from './checker.js';

export const feedback: CheckerKind = {
  name: 'feedback',
  invariants: {
    'an operation has one outcome':
      'All statuses of an operation that have a uuid report the same outcome, and a framework requested the operation.',
    'an outcome is reported only after it is on disk': 'Of an operation that an agent received.',
    'an acknowledged outcome is not reported again': "By the agent's process that received the acknowledgement.",
    'no operation stays pending or unacknowledged':
      "At the end, of a subscribed framework, at the master and on the agents' disks.",
  },
  allowances: {
    neverReceived:
      'An agent that the master asks about an operation that it never received reports OPERATION_DROPPED and stores nothing.',
    lostAgent:
      "The master's statuses of operations of a gone or unreachable agent have no uuid and may differ from the outcome.",
  },
  create: createFeedbackChecker,
};

function createFeedbackChecker(cluster: Cluster, count: Count): Checker {
  const { world } = cluster;
  const requested = new Set<string>();
  /** The outcome of each operation, by its id. */
  const outcomes = new Map<string, string>();
  const acknowledgedTo = new Map<AgentNode, Set<string>>();
  const acknowledged = (agent: AgentNode): Set<string> => {
    const uuids = acknowledgedTo.get(agent) ?? new Set();
    acknowledgedTo.set(agent, uuids);
    return uuids;
  };
  return {
    observer: {
      schedulerCalled(_scheduler, { accept }) {
        for (const { id } of accept?.operations ?? []) if (id !== undefined) requested.add(id.value);
      },
      agentEnded: (agent) => void acknowledgedTo.delete(agent),
      agentStepped(agent, input, effects) {
        if (input.kind === 'message' && input.message.name === 'AcknowledgeOperationStatusMessage') {
          const { registered, master } = agent.core?.state.registration ?? {};
          if (registered === true && master === input.from)
            acknowledged(agent).add(input.message.body.status_uuid.value);
        }
        for (const effect of effects) {
          if (effect.kind !== 'send' || effect.message.name !== 'UpdateOperationStatusMessage') continue;
          const { status, operation_uuid } = effect.message.body;
          checkNotAcknowledged(world, agent.name, acknowledged(agent), status);
          checkOnDisk(world, agent, operation_uuid?.value ?? '', status);
        }
      },
      masterStepped(_master, _input, effects) {
        for (const { operation_id, state, uuid } of statusesIn(effects)) {
          const id = operation_id?.value ?? '';
          const fail = (text: string): never => world.fail('an operation has one outcome', `${id}: ${text}`, [id]);
          if (!requested.has(id)) fail(`${state} is sent of an operation that no framework requested`);
          count('operation statuses sent');
          if (uuid === undefined) continue;
          const outcome = `${state} ${uuid.value}`;
          const before = outcomes.get(id) ?? outcome;
          if (before !== outcome) fail(`${outcome} is sent after ${before}`);
          outcomes.set(id, outcome);
        }
      },
    },
    checkQuiescence: () => checkNoneRemains(cluster),
  };
}

function statusesIn(effects: readonly MasterEffect[]): readonly OperationStatus[] {
  return effects.flatMap((effect) => {
    const status = effect.kind === 'event' ? effect.event.update_operation_status?.status : undefined;
    return status === undefined ? [] : [status];
  });
}

function checkNotAcknowledged(world: World, who: string, acknowledged: Set<string>, status: OperationStatus): void {
  const id = status.operation_id?.value ?? '';
  if (status.uuid === undefined || !acknowledged.has(status.uuid.value)) return;
  world.fail('an acknowledged outcome is not reported again', `${who}: ${status.state} of ${id}`, [id]);
}

function checkOnDisk(
  world: World,
  { name, core, disk }: AgentNode,
  uuid: string,
  { state, uuid: own }: OperationStatus,
): void {
  const record = disk.get(`operation/${uuid}`);
  if (record?.kind === 'operation' && record.record.update?.status.uuid?.value === own?.value) return;
  if (state === 'OPERATION_DROPPED' && core?.state.operations.has(uuid as OperationUuid) !== true) return;
  world.fail('an outcome is reported only after it is on disk', `${name} reports ${state} of ${uuid}`, [uuid]);
}

function checkNoneRemains({ world, agents, masters, frameworks }: Cluster): void {
  const leader = masters.leader() as MasterProcess;
  const living = new Set([...frameworks.values()].map(({ memory }) => memory.frameworkId));
  const fail = (text: string, subject: string): never =>
    world.fail('no operation stays pending or unacknowledged', text, [subject]);
  for (const [uuid, { frameworkId, operation }] of leader.core.state.operations) {
    if (!living.has(frameworkId as FrameworkId)) continue;
    fail(`${leader.name} has ${operation.latest_status.state} of ${operation.info.type} ${uuid}`, uuid);
  }
  for (const { name, disk } of agents.values()) {
    for (const { key, record } of disk.read()) {
      if (record.kind !== 'operation') continue;
      const { framework_id, latest_status } = record.record.operation;
      if (!living.has(framework_id?.value)) continue;
      fail(`${name} keeps ${latest_status.state} of ${key}`, key);
    }
  }
}
