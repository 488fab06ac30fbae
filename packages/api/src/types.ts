// The types of the declarations of endpoints and calls. The server binding (routes, checks of a call) and the client binding
// (typed calls) derive from the declarations, so that both have the same endpoints.
import type { AuthorizationAction } from '@meseta/wire';

export type Component = 'master' | 'agent';
export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
/** Whether a request only shows state or changes it. */
export type Access = 'reads' | 'changes';
/**
 * The authentication realm of an endpoint; `none` never has authentication. The flags `authenticate_http_readonly`,
 * `_readwrite`, `_frameworks` and `_executors` enable it for a realm.
 */
export type Realm = 'none' | 'readonly' | 'readwrite' | 'scheduler' | 'executor';

/** The actions of the authorizer, with the names of mesos.authorization. */
export type Action = Exclude<AuthorizationAction, 'UNKNOWN'>;

/** An HTTP endpoint. */
export interface EndpointDefinition {
  readonly path: `/${string}`;
  readonly methods: { readonly [M in Method]?: Access };
  /** The path also exists under `/master` or `/slave(1)`. */
  readonly aliased: boolean;
  readonly realm: Realm;
  /** The action that the request needs permission for. The handler checks actions on single objects. */
  readonly action?: Action;
  /** The query parameters with descriptions. */
  readonly query?: Readonly<Record<string, string>>;
  /** Accepts v1 calls, with a request and a response in either media type. */
  readonly calls?: 'operator' | 'scheduler' | 'executor' | 'resourceProvider';
  /** Wraps the JSON in a call of the function named by `?jsonp=`. */
  readonly jsonp?: true;
  /** Only the leading master handles it; others redirect to the leader. */
  readonly leader?: true;
  /** One line for the help pages. */
  readonly summary: string;
}

/** A v1 call. `Call` and `Response` are the messages of its API. The response of a call without `response` has no body. */
export interface CallDefinition<Call, Response> {
  readonly access: Access;
  /** The field of the call that must be set. */
  readonly request?: keyof Call & string;
  /** The field may be missing. */
  readonly requestOptional?: true;
  /** The field of the response; `stream` means a RecordIO stream of events. */
  readonly response?: (keyof Response & string) | 'stream';
  /** The request is a RecordIO stream. */
  readonly streamsIn?: true;
  readonly action?: Action;
  readonly summary: string;
}

export type CallTable<Type extends string, Call, Response> = {
  readonly [T in Exclude<Type, 'UNKNOWN'>]: CallDefinition<Call, Response>;
};

/** The argument of a call: the type of its request field, or undefined. */
export type CallArgument<Call, Definition> = Definition extends { readonly request: infer F extends keyof Call }
  ? NonNullable<Call[F]>
  : undefined;

/** The result of a call: the type of its response field, or undefined. */
export type CallResult<Response, Definition> = Definition extends { readonly response: infer F extends keyof Response }
  ? NonNullable<Response[F]>
  : undefined;
