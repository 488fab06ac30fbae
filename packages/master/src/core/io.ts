// The inputs and effects of the master's core, as plain data. The shell (or the simulator) calls `step` with one input at a
// time, and performs the effects after it, in order.
import type { AgentId, FrameworkId, Id, LogLine, Pid } from '@meseta/base';
import type {
  FrameworkID,
  LibprocessMessage,
  MasterCall,
  MasterInfo,
  SchedulerCall,
  SchedulerCallKill,
  SchedulerEvent,
  TaskState,
  TaskStatus,
} from '@meseta/wire';
import type { RegistryOperation } from '../registry/operations.js';
import type { RegistryState } from '../registry/state.js';
import type { Framework } from './state.js';

/** An HTTP request that waits for the core's reply. */
export type RequestId = Id<'RequestId'>;
/** An open event stream; its id is the scheduler's `Mesos-Stream-Id`. */
export type StreamId = Id<'StreamId'>;

export type MasterInput =
  /** This master leads and has read the registry. Before this input, calls get 503 and messages are dropped. */
  | { readonly kind: 'elected'; readonly registry: RegistryState }
  /** A libprocess message of an agent or a v0 driver, decoded. `principal`: the authenticated principal of a registration. */
  | {
      readonly kind: 'message';
      readonly from: Pid;
      readonly message: LibprocessMessage;
      readonly principal?: string | undefined;
    }
  /** A v1 scheduler call, decoded and authenticated. An accepted SUBSCRIBE opens `request` as a stream. */
  | {
      readonly kind: 'schedulerCall';
      readonly request: RequestId;
      readonly principal: string | undefined;
      readonly streamId: StreamId | undefined;
      readonly call: SchedulerCall;
    }
  /** A v1 operator call that changes state, decoded and authenticated. Calls that read are answered by views. */
  | {
      readonly kind: 'operatorCall';
      readonly request: RequestId;
      readonly principal: string | undefined;
      readonly call: MasterCall;
    }
  | KillTaskInput
  /** The scheduler's connection has closed. */
  | { readonly kind: 'streamClosed'; readonly stream: StreamId }
  /** So many unsent events wait for the scheduler's client that long answers have to wait too; or no longer. */
  | { readonly kind: 'streamBacklog'; readonly stream: StreamId; readonly isWaiting: boolean }
  /**
   * A connection to a linked address (`ip:port`) broke or could not be made. With a pid it is reported for that peer alone,
   * after its messages.
   */
  | { readonly kind: 'peerLost'; readonly address: string; readonly pid?: Pid }
  /** The oldest outstanding `persist` effect is durable. */
  | { readonly kind: 'persisted' }
  /** A deadline is due (`nextDeadline`). */
  | { readonly kind: 'tick' }
  /** A job has work to do (`hasWork`); fed when no peer's message waits. */
  | { readonly kind: 'continue' };

/** An operator ends a task of a framework: an endpoint of Meseta's own (packages/api/src/extensions.ts). */
export interface KillTaskInput {
  readonly kind: 'killTask';
  readonly request: RequestId;
  readonly principal: string | undefined;
  readonly frameworkId: FrameworkID;
  readonly kill: SchedulerCallKill;
}

export type MasterEffect =
  /** `from` is an actor of this process without its address: `master`, `slave-observer(7)`. */
  | { readonly kind: 'send'; readonly to: readonly Pid[]; readonly from: string; readonly message: LibprocessMessage }
  /** Keeps a connection to the address; when it breaks, the input `peerLost` follows. */
  | { readonly kind: 'link'; readonly to: Pid }
  | { readonly kind: 'unlink'; readonly to: Pid }
  | { readonly kind: 'reply'; readonly request: RequestId; readonly reply: Reply }
  /** Answers the request with 200 and keeps it open as this stream. */
  | { readonly kind: 'openStream'; readonly request: RequestId; readonly stream: StreamId }
  | { readonly kind: 'event'; readonly streams: readonly StreamId[]; readonly event: SchedulerEvent }
  | { readonly kind: 'closeStream'; readonly stream: StreamId }
  /** Append to the store as one batch; answered by `persisted`, in order. A store that fails ends the process. */
  | { readonly kind: 'persist'; readonly operations: readonly RegistryOperation[] }
  /** A change, for the log and for operators' streams. */
  | { readonly kind: 'note'; readonly note: Note }
  /** Ends the process with a message. */
  | { readonly kind: 'exit'; readonly message: string };

/** The answer to a call: a status and, where the call failed, a text that names the field and what was expected. */
export interface Reply {
  readonly status: 200 | 202 | 400 | 403 | 404 | 409 | 503;
  readonly text?: string | undefined;
}

/** Log lines, and the changes that operators' streams report. */
export type Note =
  | ({ readonly kind: 'log' } & LogLine)
  | { readonly kind: 'agentAdded'; readonly agentId: AgentId }
  | { readonly kind: 'agentRemoved'; readonly agentId: AgentId; readonly why: 'removed' | 'unreachable' | 'gone' }
  /** With the record as it was at that moment. */
  | { readonly kind: 'frameworkAdded'; readonly frameworkId: FrameworkId; readonly framework: Framework }
  | { readonly kind: 'frameworkUpdated'; readonly frameworkId: FrameworkId; readonly framework: Framework }
  | { readonly kind: 'frameworkRemoved'; readonly frameworkId: FrameworkId }
  | { readonly kind: 'taskAdded'; readonly frameworkId: FrameworkId; readonly taskId: string }
  | {
      readonly kind: 'taskUpdated';
      readonly frameworkId: FrameworkId;
      readonly taskId: string;
      readonly state: TaskState;
      readonly status: TaskStatus;
    };

/** The identity of the process. */
export interface MasterIdentity {
  /** Its id is the uuid of this process: ids of frameworks, agents and offers begin with it. */
  readonly info: MasterInfo;
  readonly pid: Pid;
}
