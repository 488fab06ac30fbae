// The limits that flags set, and the actions that the authorizer refuses.
import type { AgentId } from '@meseta/base';
import type { MasterEffect } from '@meseta/master/core/io';
import type { RegistryOperation } from '@meseta/master/registry/operations';
import type { AuthorizationAction, MasterCall, OfferOperation } from '@meseta/wire';
import { timeOn } from '../engine/machine.js';
import type { MasterProcess } from '../nodes/master.js';
import type { Cluster } from '../run/cluster.js';
import type { World } from '../world.js';
import type { Checker, CheckerKind, Count } from './checker.js';
import { schedulerCallIn } from './scheduler-messages.js';

export const limits: CheckerKind = {
  name: 'limits',
  invariants: {
    'refused actions are not performed':
      'No operation of an ACCEPT, no task and no operator call is performed that the authorizer refuses when the call arrives.',
    'agents are marked unreachable no faster than the limit':
      'One master marks agents unreachable evenly spaced by its own clock.',
    'the registry prunes the oldest entries beyond its limit':
      'If no entry is too old, a garbage collection removes exactly the oldest entries beyond the limit.',
  },
  allowances: {},
  create: createLimitsChecker,
};

function createLimitsChecker(cluster: Cluster, count: Count): Checker {
  const { world, refused } = cluster;
  const removals = createRemovals(cluster, count);
  const pruning = createPruning(cluster, count);
  /** Operators' calls whose actions were refused when they arrived, by master and request. */
  const denied = new Map<MasterProcess, Map<string, MasterCall['type']>>();
  return {
    observer: {
      masterStarted(master) {
        denied.set(master, new Map());
        removals.started(master);
      },
      registryWritten: pruning.written,
      masterStepped(master, input, effects) {
        removals.stepped(master);
        const deniedCalls = denied.get(master) ?? new Map();
        if (input.kind === 'operatorCall') {
          const action = OPERATOR_ACTIONS[input.call.type ?? ''];
          if (action !== undefined && refused.has(action)) deniedCalls.set(input.request, input.call.type);
        }
        for (const effect of effects) {
          if (effect.kind === 'reply' && deniedCalls.has(effect.request))
            checkRefused(world, master, deniedCalls, effect, count);
          if (schedulerCallIn(input)?.accept === undefined) continue;
          const action = actionOf(effect);
          if (action === undefined || !refused.has(action)) continue;
          world.fail('refused actions are not performed', `${master.name} sends a message that needs ${action}`);
        }
      },
    },
  };
}

type Reply = Extract<MasterEffect, { readonly kind: 'reply' }>;

function checkRefused(
  world: World,
  master: MasterProcess,
  denied: Map<string, MasterCall['type']>,
  { request, reply }: Reply,
  count: Count,
): void {
  const type = denied.get(request);
  denied.delete(request);
  count("operators' calls refused");
  if (reply.status >= 400) return;
  world.fail('refused actions are not performed', `${master.name} answers ${reply.status} to ${type}`);
}

const OPERATOR_ACTIONS: Readonly<Record<string, AuthorizationAction>> = {
  UPDATE_QUOTA: 'UPDATE_QUOTA',
  UPDATE_WEIGHTS: 'UPDATE_WEIGHT',
  UPDATE_MAINTENANCE_SCHEDULE: 'UPDATE_MAINTENANCE_SCHEDULE',
  START_MAINTENANCE: 'START_MAINTENANCE',
  MARK_AGENT_GONE: 'MARK_AGENT_GONE',
  DRAIN_AGENT: 'DRAIN_AGENT',
  DEACTIVATE_AGENT: 'DEACTIVATE_AGENT',
  REACTIVATE_AGENT: 'REACTIVATE_AGENT',
  TEARDOWN: 'TEARDOWN_FRAMEWORK',
};

const OPERATION_ACTIONS: Partial<Record<NonNullable<OfferOperation['type']>, AuthorizationAction>> = {
  RESERVE: 'RESERVE_RESOURCES',
  UNRESERVE: 'UNRESERVE_RESOURCES',
  CREATE: 'CREATE_VOLUME',
  DESTROY: 'DESTROY_VOLUME',
  GROW_VOLUME: 'RESIZE_VOLUME',
  SHRINK_VOLUME: 'RESIZE_VOLUME',
};

/** The action that the authorizer must allow before the message is sent. */
function actionOf(effect: MasterEffect): AuthorizationAction | undefined {
  if (effect.kind !== 'send') return undefined;
  const { name, body } = effect.message;
  if (name === 'RunTaskMessage' || name === 'RunTaskGroupMessage') return 'RUN_TASK';
  return name === 'ApplyOperationMessage' ? OPERATION_ACTIONS[body.operation_info.type ?? 'UNKNOWN'] : undefined;
}

/** The rounding error of a clock that runs at another rate. */
const ROUNDING_MS = 1;

function createRemovals({ world, plan }: Cluster, count: Count) {
  const decidedMs = new Map<MasterProcess, number[]>();
  const seen = new Map<MasterProcess, Set<string>>();
  const limit = plan.agentRemovalRateLimit;
  return {
    started(master: MasterProcess): void {
      decidedMs.set(master, []);
      seen.set(master, new Set());
    },
    stepped(master: MasterProcess): void {
      const marking = seen.get(master);
      const times = decidedMs.get(master);
      if (limit === undefined || marking === undefined || times === undefined) return;
      const { transitions } = master.core.state.agents;
      for (const id of marking) if (transitions.get(id as AgentId) !== 'markingUnreachable') marking.delete(id);
      for (const [id, transition] of transitions) {
        if (transition !== 'markingUnreachable' || marking.has(id)) continue;
        marking.add(id);
        const nowMs = timeOn(master.machine, world.timeline.nowMs()).monoMs;
        const before = times.at(-1);
        const spacingMs = limit.perMs / limit.permits;
        times.push(nowMs);
        count('rate-limited removals');
        if (before === undefined || nowMs - before >= spacingMs - ROUNDING_MS) continue;
        const text = `${master.name}: ${id} ${nowMs - before} ms after the previous one, expected ${spacingMs} ms`;
        world.fail('agents are marked unreachable no faster than the limit', text, [id]);
      }
    },
  };
}

function createPruning({ world, plan }: Cluster, count: Count) {
  /** In the order in which they were marked. */
  const unreachable: string[] = [];
  const gone: string[] = [];
  const remove = (list: string[], id: string): void => {
    if (list.includes(id)) list.splice(list.indexOf(id), 1);
  };
  const checkPruned = (what: string, list: string[], pruned: readonly string[]): void => {
    const excess = Math.max(0, list.length - plan.registryMaxAgentCount);
    const text = `${pruned.length} of ${list.length} ${what} agents are pruned, the limit is ${plan.registryMaxAgentCount}`;
    if (pruned.length !== excess) world.fail('the registry prunes the oldest entries beyond its limit', text, pruned);
    for (const id of pruned) remove(list, id);
    count('agents pruned', pruned.length);
  };
  /** Longer than a run: no entry is too old. */
  const neverMs = 1_000_000_000;
  return {
    written(operations: readonly RegistryOperation[]): void {
      for (const operation of operations) {
        const { kind } = operation;
        if (kind === 'pruneAgents' && plan.registryMaxAgentAgeMs >= neverMs) {
          checkPruned('unreachable', unreachable, operation.unreachable);
          checkPruned('gone', gone, operation.gone);
        }
        if (!('agentId' in operation)) continue;
        const { agentId } = operation;
        if (kind === 'markAgentUnreachable') unreachable.push(agentId);
        if (kind === 'markAgentReachable' || kind === 'markAgentGone' || kind === 'removeAgent') {
          remove(unreachable, agentId);
        }
        if (kind === 'markAgentGone') gone.push(agentId);
      }
    },
  };
}
