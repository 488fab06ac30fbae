// What is written to the registry and what happens afterwards.
//
// Owns: the registry as it is on disk (`durable`) and as it will be once everything decided is written (`projected`),
// and the pending work: plain data that says what to do when the store has answered.
// Boundary: `registry/` applies operations; the shell persists them; `core/pending.ts` does the work that is ready.
// P1: at most one batch is with the store; what is decided meanwhile goes out as the next one.
// P2: work is done in the order in which it was decided, after everything that was decided before it is durable.
import { type AgentId, assert, ok, type Pid, present, type Result } from '@meseta/base';
import type { MachineID, QuotaConfig } from '@meseta/wire';
import { applyToRegistry, type RegistryOperation } from '../registry/operations.js';
import { emptyRegistry, type RegistryState } from '../registry/state.js';
import type { Context } from './context.js';
import type { RequestId } from './io.js';

/** What to do once an operation is durable; whoever does it looks first whether its subject is still there. */
export type PendingWork =
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
  readonly work: PendingWork[];
}

export interface Registrar {
  durable: RegistryState;
  projected: RegistryState;
  writing: Batch | undefined;
  waiting: Batch;
  /** Work with nothing left to wait for: done before the step ends. */
  readonly ready: PendingWork[];
}

const emptyBatch = (): Batch => ({ operations: [], work: [] });

export function createRegistrar(): Registrar {
  return { durable: emptyRegistry(), projected: emptyRegistry(), writing: undefined, waiting: emptyBatch(), ready: [] };
}

/**
 * Decides on an operation: `work` is done once it is durable (in this step if nothing has to be written first).
 * An error says why it doesn't fit; then nothing has changed and `work` is not done.
 */
export function decide(ctx: Context, operation: RegistryOperation, work: PendingWork): Result<undefined, string> {
  const { registrar } = ctx.state;
  const applied = applyToRegistry(registrar.projected, operation);
  if (!applied.ok) return applied;
  if (applied.value) registrar.waiting.operations.push(operation);
  afterwards(ctx, work);
  return ok(undefined);
}

/** Does `work` once everything decided so far is durable. */
export function afterwards(ctx: Context, work: PendingWork): void {
  const { registrar } = ctx.state;
  if (registrar.writing === undefined && registrar.waiting.operations.length === 0) registrar.ready.push(work);
  else registrar.waiting.work.push(work);
}

/** At the end of a step: what waits goes to the store, if the store is free. */
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
    assert(applied.ok, `${operation.kind} fitted when it was decided`);
  }
  // Work without an operation that was decided meanwhile has nothing more to wait for.
  const after = registrar.waiting.operations.length === 0 ? registrar.waiting.work.splice(0) : [];
  for (const work of [...batch.work, ...after]) registrar.ready.push(work);
}
