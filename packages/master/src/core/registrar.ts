// Proposes registry operations, and does the work that waits for them once they are durable.
//
// Owns: the registry as it is on disk (`durable`) and with all proposed operations applied (`projected`), and the queue of
// proposed operations with the work that waits for them.
// Boundary: `registry/` applies operations; the shell persists them; after-commit.ts does the work.
// REGISTRAR-1: the store has at most one batch; operations proposed meanwhile form the next batch.
// REGISTRAR-2: work is done in the order in which it was added, once every operation proposed before it is durable.
import { type AgentId, assert, ok, type Pid, present, type Result } from '@meseta/base';
import {
  addWork,
  type CommitQueue,
  completeBatch,
  createCommitQueue,
  proposeChange,
  settleCommits,
  takeBatch,
} from '@meseta/base/core/commit-queue';
import type { CausedWork } from '@meseta/base/core/context';
import type { MachineID, QuotaConfig } from '@meseta/wire';
import { applyToRegistry, type RegistryOperation } from '../registry/operations.js';
import { emptyRegistry, type RegistryState } from '../registry/state.js';
import type { Context } from './context.js';
import type { RequestId } from './io.js';

/** Work that waits for registry operations. Its handler checks first that its subjects still exist. */
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
      /** For the log and for the message of its tasks' updates. */
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
      /** Which offers are rescinded: operator/quota.ts. */
      readonly rescinds: 'singleOffers' | 'offersOfAgents' | 'none';
      readonly request: RequestId;
    }
  | { readonly kind: 'weightsUpdated'; readonly roles: readonly string[]; readonly request: RequestId | undefined }
  | { readonly kind: 'maintenanceUpdated'; readonly affected: readonly MachineID[]; readonly request: RequestId }
  | { readonly kind: 'maintenanceStarted'; readonly machines: readonly MachineID[]; readonly request: RequestId }
  | { readonly kind: 'maintenanceStopped'; readonly machines: readonly MachineID[]; readonly request: RequestId };

/** A store takes one batch at a time. */
const MAX_BATCHES_IN_FLIGHT = 1;

export interface Registrar {
  durable: RegistryState;
  projected: RegistryState;
  readonly commits: CommitQueue<RegistryOperation, CausedWork<AfterCommitWork>>;
}

export const createRegistrar = (): Registrar => ({
  durable: emptyRegistry(),
  projected: emptyRegistry(),
  commits: createCommitQueue(),
});

/**
 * Proposes an operation: `work` is done once it is durable, in this step if nothing has to be written first.
 * An error says why the projected registry does not allow it; then nothing has changed and `work` is not done.
 */
export function propose(ctx: Context, operation: RegistryOperation, work: AfterCommitWork): Result<undefined, string> {
  const { projected, commits } = ctx.state.registrar;
  const applied = applyToRegistry(projected, operation);
  if (!applied.ok) return applied;
  if (applied.value) proposeChange(commits, operation);
  afterCommit(ctx, work);
  return ok(undefined);
}

/** Does `work` once every operation proposed so far is durable. */
export function afterCommit(ctx: Context, work: AfterCommitWork): void {
  const { commits } = ctx.state.registrar;
  addWork(commits, { work, cause: ctx.cause });
  settleCommits(commits);
}

/** At the end of a step: gives the operations proposed so far to the store, unless it has a batch already. */
export function flushRegistrar(ctx: Context): void {
  const operations = takeBatch(ctx.state.registrar.commits, MAX_BATCHES_IN_FLIGHT);
  if (operations !== undefined) ctx.effects.push({ kind: 'persist', operations });
}

/** The batch that was with the store is durable. */
export function persisted(ctx: Context): void {
  const { durable, commits } = ctx.state.registrar;
  for (const operation of present(completeBatch(commits), 'the batch that was written')) {
    const applied = applyToRegistry(durable, operation);
    assert(applied.ok, `${operation.kind} was possible when it was proposed`);
  }
  settleCommits(commits);
}
