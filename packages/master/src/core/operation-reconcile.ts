// RECONCILE_OPERATIONS: answers a scheduler with the states of its operations. The answers are not acknowledged.
// Source: Mesos' documentation of operation feedback.
import { type AgentId, idOf, type OperationId, type OperationUuid } from '@meseta/base';
import type {
  OperationStatus,
  ReconcileOperationsMessageOperation,
  SchedulerCallReconcileOperations,
  SchedulerCallReconcileOperationsOperation,
} from '@meseta/wire';
import { type Context, count, send } from './context.js';
import { sendOperationStatus } from './operation-records.js';
import { enqueueReconciliation } from './reconciliation-queue.js';
import type { Agent, Framework, OperationRecord } from './state.js';

type NamedItem = SchedulerCallReconcileOperationsOperation;

/** Reconciles the named operations; without any, all operations of the framework. */
export function reconcileOperations(ctx: Context, framework: Framework, call: SchedulerCallReconcileOperations): void {
  count(ctx, 'master/messages_reconcile_operations');
  const named = call.operations ?? [];
  enqueueReconciliation(
    ctx,
    framework,
    named.length > 0
      ? { kind: 'operations', items: named, next: 0 }
      : { kind: 'allOperations', items: [...framework.operations], next: 0 },
  );
}

/** Answers from the master's records, and asks agents about operations of unsubscribed resource providers. */
export function reconcileNamedOperations(ctx: Context, framework: Framework, named: readonly NamedItem[]): void {
  const atAgents = new Map<Agent, ReconcileOperationsMessageOperation[]>();
  for (const item of named) {
    const agent = findAgentToAsk(ctx, framework, item);
    if (agent === undefined) {
      sendOperationStatus(ctx, framework, statusFor(ctx, framework, item));
      continue;
    }
    const operations = atAgents.get(agent) ?? [];
    operations.push(reconciliationOf(item));
    atAgents.set(agent, operations);
  }
  for (const [agent, operations] of atAgents) {
    const body = { framework_id: framework.wireId, operations };
    send(ctx, agent.pid, { name: 'ReconcileOperationsMessage', body });
  }
}

/** One operation of an implicit reconciliation; it may have been removed meanwhile. */
export function reconcileOperation(ctx: Context, framework: Framework, uuid: OperationUuid): void {
  const record = ctx.state.operations.get(uuid);
  if (record?.operationId !== undefined) sendOperationStatus(ctx, framework, lastSentStatus(record));
}

/** The last status that was sent to the scheduler, not the latest known one. */
function lastSentStatus({ operation }: OperationRecord): OperationStatus {
  const { uuid: _, ...status } = operation.statuses?.at(-1) ?? operation.latest_status;
  return status;
}

const findOperation = (ctx: Context, framework: Framework, operationId: { readonly value: string }) => {
  const id = framework.operationUuids.get(idOf<OperationId>(operationId));
  return id === undefined ? undefined : ctx.state.operations.get(id);
};

/** The agent to ask about an operation of a resource provider that is not subscribed now. */
function findAgentToAsk(
  ctx: Context,
  framework: Framework,
  { operation_id, agent_id, resource_provider_id }: NamedItem,
): Agent | undefined {
  if (agent_id === undefined || resource_provider_id === undefined) return undefined;
  if (findOperation(ctx, framework, operation_id) !== undefined) return undefined;
  const agent = ctx.state.agents.registered.get(idOf<AgentId>(agent_id));
  if (agent?.capabilities.has('AGENT_OPERATION_FEEDBACK') !== true) return undefined;
  return agent.resourceProviders.has(resource_provider_id.value) ? undefined : agent;
}

const reconciliationOf = ({ operation_id, resource_provider_id }: NamedItem): ReconcileOperationsMessageOperation => ({
  ...(resource_provider_id === undefined ? {} : { resource_provider_id }),
  operation_id,
});

function statusFor(
  ctx: Context,
  framework: Framework,
  { operation_id, agent_id, resource_provider_id }: NamedItem,
): OperationStatus {
  const { agents } = ctx.state;
  const record = findOperation(ctx, framework, operation_id);
  if (record !== undefined) return lastSentStatus(record);
  const agentId = agent_id === undefined ? undefined : idOf<AgentId>(agent_id);
  const statusIn = (state: OperationStatus['state'], message: string): OperationStatus => ({
    operation_id,
    state,
    message: `Reconciliation: ${message}`,
    ...(agent_id === undefined ? {} : { agent_id }),
    ...(resource_provider_id === undefined ? {} : { resource_provider_id }),
  });
  if (agentId === undefined) return statusIn('OPERATION_UNKNOWN', 'Operation is unknown');
  if (agents.recovered.has(agentId)) return statusIn('OPERATION_RECOVERING', 'Agent has not re-registered yet');
  if (agents.unreachable.has(agentId)) return statusIn('OPERATION_UNREACHABLE', 'Agent is unreachable');
  if (agents.gone.has(agentId)) return statusIn('OPERATION_GONE_BY_OPERATOR', 'Agent is gone');
  return statusIn('OPERATION_UNKNOWN', 'Operation is unknown');
}
