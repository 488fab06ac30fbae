// What Meseta's masters answer beyond Mesos' API. All of it is JSON and lies below /api/meseta/v1/, where no Mesos
// endpoint is; nothing here may be needed to run what was written for Mesos.
import type { FrameworkID, KillPolicy, TaskID } from '@meseta/wire';
import type { EndpointDefinition } from './types.js';

export const masterExtensions = {
  killTask: {
    methods: { POST: 'changes' },
    realm: 'readwrite',
    aliased: true,
    path: '/api/meseta/v1/kill-task',
    leader: true,
    summary: "Ends a task, as its framework's KILL does: JSON {framework_id, task_id, kill_policy}.",
  },
  explain: {
    methods: { GET: 'reads' },
    realm: 'readonly',
    aliased: true,
    path: '/api/meseta/v1/explain',
    leader: true,
    summary: 'Why a framework gets no offer or a task is not running: ?framework_id=&agent_id=&role=&task_id=.',
  },
} as const satisfies Record<string, EndpointDefinition>;

/**
 * The body of `killTask`, with Mesos' JSON for each field. Answered by 202 when the kill is on its way (to an agent that
 * is not connected it goes once that is back), 404 where there is no such task, 403 for whoever may not tear the
 * framework down: ending its tasks one by one is the same.
 */
export interface KillTaskRequest {
  readonly framework_id: FrameworkID;
  readonly task_id: TaskID;
  /** In place of the task's own. */
  readonly kill_policy?: KillPolicy | undefined;
}

/** Any of it may be left out but one of the framework and the task. */
export interface ExplainRequest {
  readonly frameworkId?: string | undefined;
  /** Only this agent; otherwise all, one answer of each kind. */
  readonly agentId?: string | undefined;
  /** Only this of the framework's roles. */
  readonly role?: string | undefined;
  /** Why this task is not running; then offers are told of only if the framework has yet to launch it. */
  readonly taskId?: string | undefined;
}

export type Amounts = Readonly<Record<string, number>>;

/** One reason, as a sentence for people and as data; which data depends on `kind`. Times in seconds since the epoch. */
export interface ExplainedReason {
  /** The kinds of the allocator's `Reason`, or what the master knows of the framework or the task. */
  readonly kind: string;
  readonly text: string;
  readonly role?: string | undefined;
  /** One agent on which it is so, of `agents`. */
  readonly agent_id?: string | undefined;
  readonly hostname?: string | undefined;
  readonly agents?: number | undefined;
  readonly until?: number | undefined;
  /** The reason's figures: amounts by resource (mem and disk in MB), shares from 0 to 1. */
  readonly figures?: Readonly<Record<string, unknown>> | undefined;
}

export interface Explanation {
  /** The answer in one line. */
  readonly answer: string;
  readonly framework?: {
    readonly id: string;
    readonly name: string;
    readonly status: string;
    readonly roles: readonly string[];
    readonly suppressed_roles: readonly string[];
    /** Offers that it has and has not answered. */
    readonly open_offers: number;
    /** What it holds or is offered, as a part of the cluster, by role. */
    readonly shares: Amounts;
  };
  readonly task?: {
    readonly id: string;
    readonly state: string;
    readonly agent_id: string;
    readonly hostname?: string | undefined;
  };
  readonly reasons: readonly ExplainedReason[];
}
