// What is written to the registry and what happens afterwards.
//
// Owns: the registry as it is on disk (`durable`) and as it will be once everything decided is written (`projected`),
// and the pending work: plain data that says what to do when the store has answered.
// Boundary: `registry/` applies operations; the shell persists them; `core/pending.ts` does the work.
// P1: at most one batch is with the store; what is decided meanwhile goes out as the next one.
// P2: work is done in the order in which it was decided, after everything that was decided before it is durable.
import type { AgentId, FrameworkId } from '@meseta/base';
import type { MachineID, QuotaConfig } from '@meseta/wire';
import { applyToRegistry, type RegistryOperation } from '../registry/operations.js';
import { emptyRegistry, type RegistryState } from '../registry/state.js';
import type { Context } from './context.js';
import type { RequestId } from './io.js';
import { doPendingWork } from './pending.js';

/** What to do once an operation is durable; whoever does it looks first whether its subject is still there. */
export type PendingWork =
  | { readonly kind: 'recovered' }
  | { readonly kind: 'agentAdmitted'; readonly pid: string }
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
      readonly why: string;
      /** A new agent at the same address waits for this one to be gone. */
      readonly replacedBy?: string | undefined;
      readonly shutDown?: boolean | undefined;
    }
  | { readonly kind: 'agentGone'; readonly agentId: AgentId; readonly atMs: number; readonly request?: RequestId | undefined }
  | { readonly kind: 'agentsPruned'; readonly unreachable: readonly AgentId[]; readonly gone: readonly AgentId[] }
  | { readonly kind: 'agentDraining'; readonly agentId: AgentId; readonly request: RequestId }
  | { readonly kind: 'agentDrained'; readonly agentId: AgentId }
  | { readonly kind: 'agentDeactivated'; readonly agentId: AgentId; readonly request: RequestId }
  | { readonly kind: 'agentReactivated'; readonly agentId: AgentId; readonly request: RequestId }
  | { readonly kind: 'quotaUpdated'; readonly configs: readonly QuotaConfig[]; readonly request: RequestId }
  | { readonly kind: 'weightsUpdated'; readonly roles: readonly string[]; readonly request: RequestId | undefined }
  | { readonly kind: 'maintenanceUpdated'; readonly touched: readonly MachineID[]; readonly request: RequestId }
  | { readonly kind: 'maintenanceStarted'; readonly machines: readonly MachineID[]; readonly request: RequestId }
  | { readonly kind: 'maintenanceStopped'; readonly machines: readonly MachineID[]; readonly request: RequestId }
  | { readonly kind: 'frameworkAdded'; readonly frameworkId: FrameworkId };

interface Batch {
  readonly operations: RegistryOperation[];
  readonly work: PendingWork[];
}

export interface Registrar {
  durable: RegistryState;
  projected: RegistryState;
  writing: Batch | undefined;
  waiting: Batch;
}

const emptyBatch = (): Batch => ({ operations: [], work: [] });

export function createRegistrar(): Registrar {
  return { durable: emptyRegistry(), projected: emptyRegistry(), writing: undefined, waiting: emptyBatch() };
}
