// What is written to the registry and what happens afterwards.
//
// Owns: the registry as it is on disk (`durable`) and as it will be once all proposed operations are written (`projected`),
// and the pending work: plain data that says what to do when the store has answered.
// Boundary: `registry/` applies operations; the shell persists them; `core/after-commit.ts` does the work that is ready.
// REGISTRAR-1: the store has at most one batch; operations proposed meanwhile are its next batch.
// REGISTRAR-2: pending work is done in the order of its proposals, once every operation proposed before it is durable.
import { type AgentId, assert, ok, type Pid, present, type Result } from '@meseta/base';
import type { MachineID, QuotaConfig } from '@meseta/wire';
import { applyToRegistry, type RegistryOperation } from '../registry/operations.js';
import { emptyRegistry, type RegistryState } from '../registry/state.js';
import type { Context } from './context.js';
import type { RequestId } from './io.js';

/** What to do once an operation is durable. Its handler checks first that its subject still exists. */
export type AfterCommitWork =
  | { readonly kind: 'recovered' }
  | { readonly kind: 'agentAdmitted'; readonly pid: Pid; readonly agentId: AgentId }
  | { readonly kind: 'agentReadmitted'; readonly agentId: AgentId }
  | {
      readonly kind: 'agentUnreachable';
      readonly agentId: AgentId;
      readonly atMs: number;
      readonly why: string;
    }
  | {
      readonly kind: 'agentRemoved';
      readonly agentId: AgentId;
      /** For people, and the message of its tasks' updates. */
      readonly why: string;
    }
  | {
      readonly kind: 'agentGone';
      readonly agentId: AgentId;
      readonly atMs: number;
      readonly request?: RequestId | undefined;
    }
  | { readonly kind: 'agentsPruned'; readonly unreachable: readonly AgentId[]; readonly gone: readonly AgentId[] }
  | { readonly kind: 'agentDraining'; readonly agentId: AgentId; readonly request: RequestId }
  | { readonly kind: 'agentDrained'; readonly agentId: AgentId }
  | { readonly kind: 'agentDeactivated'; readonly agentId: AgentId; readonly request: RequestId }
  | { readonly kind: 'agentReactivated'; readonly agentId: AgentId; readonly request: RequestId }
  | {
      readonly kind: 'quotaUpdated';
      readonly configs: readonly QuotaConfig[];
      readonly rescinds: 'whatIsInTheWay' | 'enoughForGuarantee' | 'none';
      readonly request: RequestId;
    }
  | { readonly kind: 'weightsUpdated'; readonly roles: readonly string[]; readonly request: RequestId | undefined }
  | { readonly kind: 'maintenanceUpdated'; readonly touched: readonly MachineID[]; readonly request: RequestId }
  | { readonly kind: 'maintenanceStarted'; readonly machines: readonly MachineID[]; readonly request: RequestId }
  | { readonly kind: 'maintenanceStopped'; readonly machines: readonly MachineID[]; readonly request: RequestId };

interface Batch {
  readonly operations: RegistryOperation[];
  readonly work: AfterCommitWork[];
}

export interface Registrar {
  durable: RegistryState;
  projected: RegistryState;
  writing: Batch | undefined;
  waiting: Batch;
  /** Work whose operations are all durable: done before the step ends. */
  readonly ready: AfterCommitWork[];
}

const emptyBatch = (): Batch => ({ operations: [], work: [] });

export function createRegistrar(): Registrar {
  return { durable: emptyRegistry(), projected: emptyRegistry(), writing: undefined, waiting: emptyBatch(), ready: [] };
}

/**
 * Proposes an operation: `work` is done once it is durable, in this step if nothing has to be written first.
 * An error says why the projected registry does not allow it; then nothing has changed and `work` is not done.
 */
export function propose(ctx: Context, operation: RegistryOperation, work: AfterCommitWork): Result<undefined, string> {
  const { registrar } = ctx.state;
  const applied = applyToRegistry(registrar.projected, operation);
  if (!applied.ok) return applied;
  if (applied.value) registrar.waiting.operations.push(operation);
  afterCommit(ctx, work);
  return ok(undefined);
}

/** Does `work` once every operation proposed so far is durable. */
export function afterCommit(ctx: Context, work: AfterCommitWork): void {
  const { registrar } = ctx.state;
  if (registrar.writing === undefined && registrar.waiting.operations.length === 0) registrar.ready.push(work);
  else registrar.waiting.work.push(work);
}

/** At the end of a step: the waiting batch goes to the store, if the store has none. */
export function flushRegistrar(ctx: Context): void {
  const { registrar } = ctx.state;
  if (registrar.writing !== undefined || registrar.waiting.operations.length === 0) return;
  registrar.writing = registrar.waiting;
  registrar.waiting = emptyBatch();
  ctx.effects.push({ kind: 'persist', operations: registrar.writing.operations });
}

/** The batch that was with the store is durable. */
export function persisted(ctx: Context): void {
  const { registrar } = ctx.state;
  const batch = present(registrar.writing, 'the batch that was written');
  registrar.writing = undefined;
  for (const operation of batch.operations) {
    const applied = applyToRegistry(registrar.durable, operation);
    assert(applied.ok, `${operation.kind} was possible when it was proposed`);
  }
  // Work proposed meanwhile without an operation has nothing more to wait for.
  const after = registrar.waiting.operations.length === 0 ? registrar.waiting.work.splice(0) : [];
  for (const work of [...batch.work, ...after]) registrar.ready.push(work);
}
