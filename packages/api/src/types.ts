// The shapes in which endpoints and calls are declared. The server binding (routes, checks of a call) and the client
// binding (typed calls) are both derived from the declarations, so neither can know an endpoint that the other doesn't.
import type { AuthorizationAction } from '@meseta/wire';

export type Component = 'master' | 'agent';
export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
/** Whether a request only shows state or changes it. */
export type Access = 'reads' | 'changes';
/**
 * Who must have authenticated: nobody, or a principal of the realm. The flags `authenticate_http_readonly`,
 * `_readwrite`, `_frameworks` and `_executors` switch a realm's authentication on.
 */
export type Realm = 'none' | 'readonly' | 'readwrite' | 'scheduler' | 'executor';

/** The authorizer's actions, as mesos.authorization names them. */
export type Action = Exclude<AuthorizationAction, 'UNKNOWN'>;

/** An HTTP endpoint. */
export interface EndpointDefinition {
  readonly path: `/${string}`;
  readonly methods: { readonly [M in Method]?: Access };
  /** Answered under `/master` or `/slave(1)` too. */
  readonly aliased: boolean;
  readonly realm: Realm;
  /** What the request as a whole needs permission for; actions on single objects are the handler's. */
  readonly action?: Action;
  /** Its query parameters, and what each is for. */
  readonly query?: Readonly<Record<string, string>>;
  /** Takes v1 calls: one of the two media types in, either out. */
  readonly calls?: 'operator' | 'scheduler' | 'executor' | 'resourceProvider';
  /** Wraps its JSON in the function named by `?jsonp=`. */
  readonly jsonp?: true;
  /** Only the leading master answers; others send the client there. */
  readonly leader?: true;
  /** One line for the help pages. */
  readonly summary: string;
}

/** A v1 call. `Call` and `Response` are the messages of its API; a call without `response` answers with no body. */
export interface CallDefinition<Call, Response> {
  readonly access: Access;
  /** The field that must be set. */
  readonly request?: keyof Call & string;
  /** A call without the field is taken too. */
  readonly requestOptional?: true;
  /** The field of the response that carries the answer; `stream` opens a RecordIO stream of events. */
  readonly response?: (keyof Response & string) | 'stream';
  /** The client goes on sending: RecordIO in. */
  readonly streamsIn?: true;
  readonly action?: Action;
  readonly summary: string;
}

export type CallTable<Type extends string, Call, Response> = {
  readonly [T in Exclude<Type, 'UNKNOWN'>]: CallDefinition<Call, Response>;
};

/** What the caller gives: the request's field, or nothing. */
export type CallArgument<Call, Definition> = Definition extends { readonly request: infer F extends keyof Call }
  ? NonNullable<Call[F]>
  : undefined;

/** What the caller gets: the response's field, or nothing. */
export type CallResult<Response, Definition> = Definition extends { readonly response: infer F extends keyof Response }
  ? NonNullable<Response[F]>
  : undefined;
