// The client binding: every call of a table as `client.call('GET_TASKS')`, typed by the table.
import type { Result } from '@meseta/base';
import type {
  AgentCall,
  AgentResponse,
  MasterCall,
  MasterEvent,
  MasterResponse,
  SchedulerCall,
  SchedulerEvent,
} from '@meseta/wire';
import type { MediaType } from '@meseta/wire/media';
import type { AgentCalls } from './agent-calls.js';
import type { ExplainRequest, Explanation, KillTaskRequest } from './extensions.js';
import type { MasterCalls } from './master-calls.js';
import type { InvalidResponse, Transport, Unreachable } from './transport.js';
import type { CallArgument, CallResult } from './types.js';

/** The server refused the request with a status of 300 or above; `text` is the body of the response. */
export interface Refused {
  readonly code: 'refused';
  readonly status: number;
  readonly text: string;
}

export type CallError = Refused | Unreachable | InvalidResponse;

export interface ClientOptions {
  /**
   * The address of the server: `http://10.0.0.1:5050`. Of several masters any: the client follows redirects to the leader. A
   * function is called before the first request, and again after a request that failed.
   */
  readonly address: string | (() => Promise<Result<string, Unreachable>>);
  /** The default is protobuf, which is smaller and faster. */
  readonly mediaType?: MediaType;
  /** Sent with every request, e.g. `Authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly transport?: Transport;
  /** Undefined: a request is sent once. */
  readonly leaderWait?: LeaderWait;
}

/**
 * Requests that no master can have carried out are sent again for this time, each to the leader that is known then: those for
 * which no connection was made, that were only redirected, and that a master without a leader refused. So a command succeeds
 * during an election.
 */
export interface LeaderWait {
  readonly timeoutMs: number;
  /** Called when a request waits, with the reason. */
  onWait(reason: string): void;
}

/** Events until the server or the caller ends the stream, or the connection breaks, which is not an error. */
export interface EventStream<Event> extends AsyncIterable<Event> {
  /** The stream id of a scheduler or an executor, which its other calls must have. */
  readonly id: string | undefined;
  close(): void;
}

type Called<Table> = { [T in keyof Table]: Table[T] extends { readonly response: 'stream' } ? never : T }[keyof Table];
type Argument<Call, Definition> =
  CallArgument<Call, Definition> extends undefined ? [] : [argument: CallArgument<Call, Definition>];

export interface OperatorClient<Table, Call, Response> {
  call<T extends Called<Table>>(
    type: T,
    ...argument: Argument<Call, Table[T]>
  ): Promise<Result<CallResult<Response, Table[T]>, CallError>>;
}

/** Meseta's own endpoints (extensions.ts). A Mesos master responds with 404. */
export interface MasterExtensionClient {
  killTask(request: KillTaskRequest): Promise<Result<void, CallError>>;
  explain(request: ExplainRequest): Promise<Result<Explanation, CallError>>;
}

export interface MasterClient extends OperatorClient<MasterCalls, MasterCall, MasterResponse>, MasterExtensionClient {
  subscribe(): Promise<Result<EventStream<MasterEvent>, CallError>>;
}
export type AgentClient = OperatorClient<AgentCalls, AgentCall, AgentResponse>;

/** The client of the scheduler API, for the SDK's scheduler. */
export interface SchedulerClient {
  /** Opens the event stream with a SUBSCRIBE call. The signal aborts the request and the stream. */
  subscribe(call: SchedulerCall, signal?: AbortSignal): Promise<Result<EventStream<SchedulerEvent>, CallError>>;
  /** Sends another call for the stream that SUBSCRIBE opened. */
  call(call: SchedulerCall, streamId: string, signal?: AbortSignal): Promise<Result<void, CallError>>;
}
