// The endpoints that Meseta's masters have and Mesos' do not. They are below /api/meseta/v1/, where Mesos has no endpoint,
// and speak JSON with field names in snake_case, as Mesos' documents do. Software written for Mesos does not need them.
// The other side of each body and query is in extension-codecs.ts.
import type { FrameworkID, KillPolicy, TaskID } from '@meseta/wire';
import type { EndpointDefinition } from './types.js';

export const masterExtensions = {
  killTask: {
    methods: { POST: 'changes' },
    realm: 'readwrite',
    aliased: true,
    path: '/api/meseta/v1/kill-task',
    leader: true,
    summary: "Kills a task, as its framework's KILL does: JSON {framework_id, task_id, kill_policy}.",
  },
  explain: {
    methods: { GET: 'reads' },
    realm: 'readonly',
    aliased: true,
    path: '/api/meseta/v1/explain',
    leader: true,
    query: {
      framework_id: 'The framework; required without task_id.',
      agent_id: 'Only offers of this agent.',
      role: "Only this of the framework's roles.",
      task_id: 'Why this task is not running.',
    },
    summary: 'Why a framework gets no offer or a task is not running.',
  },
} as const satisfies Record<string, EndpointDefinition>;

/**
 * The body of `killTask`. The response is 202 when the kill was sent, or waits for an agent that is not connected; 404 if
 * there is no such task; 403 for a principal that may not tear the framework down.
 */
export interface KillTaskRequest {
  readonly framework_id: FrameworkID;
  readonly task_id: TaskID;
  /** Replaces the task's own. */
  readonly kill_policy?: KillPolicy | undefined;
}

/** The query of `explain`: `framework_id` or `task_id` is required. */
export interface ExplainRequest {
  readonly framework_id?: string | undefined;
  /** Only this agent. Without it the reasons cover all agents, one reason of each kind. */
  readonly agent_id?: string | undefined;
  /** Only this of the framework's roles. */
  readonly role?: string | undefined;
  /** Why this task is not running. Reasons about offers are added only if the framework has not launched it. */
  readonly task_id?: string | undefined;
}

export type Amounts = Readonly<Record<string, number>>;

/** docs/extensions.md says what each kind means. */
export type ExplainedReasonKind =
  | 'agent_capability'
  | 'agent_deactivated'
  | 'agent_disconnected'
  | 'constraint'
  | 'filtered'
  | 'framework_capability'
  | 'framework_ended'
  | 'framework_inactive'
  | 'gpu_agent'
  | 'headroom'
  | 'in_cooldown'
  | 'kill_pending'
  | 'limit'
  | 'no_agents'
  | 'not_launched'
  | 'not_subscribed_to_role'
  | 'not_whitelisted'
  | 'nothing_free'
  | 'offered'
  | 'other_region'
  | 'paused'
  | 'pending'
  | 'reserved'
  | 'share'
  | 'suppressed'
  | 'task_state'
  | 'too_small'
  | 'unacknowledged'
  | 'unhealthy'
  | 'unknown_agent'
  | 'unknown_framework';

/** One reason, as a sentence for people and as data; the data depends on `kind`. */
export interface ExplainedReason {
  /** A master of a later version may send kinds that are not listed. */
  readonly kind: ExplainedReasonKind;
  readonly text: string;
  readonly role?: string | undefined;
  /** The agent; or an example, if the reason holds for several `agents`. */
  readonly agent_id?: string | undefined;
  readonly hostname?: string | undefined;
  /** The number of agents for which the reason holds. */
  readonly agents?: number | undefined;
  /** When the reason ends, in seconds since the epoch. */
  readonly until?: number | undefined;
  /** The figures in the text: amounts by resource (mem and disk in MB), shares from 0 to 1. */
  readonly figures?: Readonly<Record<string, unknown>> | undefined;
}

export interface Explanation {
  /** The answer in one line. */
  readonly answer: string;
  readonly framework?:
    | {
        readonly id: string;
        readonly name: string;
        readonly status: string;
        readonly roles: readonly string[];
        readonly suppressed_roles: readonly string[];
        /** The number of its offers that it has neither accepted nor declined. */
        readonly open_offers: number;
        /** Allocated and offered resources as a share of the cluster, by role. */
        readonly shares: Amounts;
      }
    | undefined;
  readonly task?:
    | {
        readonly id: string;
        readonly state: string;
        readonly agent_id: string;
        readonly hostname?: string | undefined;
      }
    | undefined;
  readonly reasons: readonly ExplainedReason[];
}
