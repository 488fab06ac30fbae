// Ids as branded strings, so that the compiler tells an agent id from a task id. A wire record has an id as a `{ value }`
// object; the cores and their Maps have these strings.

declare const brand: unique symbol;
export type Id<Name extends string> = string & { readonly [brand]: Name };

export type FrameworkId = Id<'FrameworkId'>;
export type AgentId = Id<'AgentId'>;
export type OfferId = Id<'OfferId'>;
export type TaskId = Id<'TaskId'>;
export type ExecutorId = Id<'ExecutorId'>;
export type ContainerId = Id<'ContainerId'>;
export type OperationId = Id<'OperationId'>;
/** The uuid of an operation, base64 of its 16 bytes. */
export type OperationUuid = Id<'OperationUuid'>;

/** Unwraps the `{ value }` object of a wire record; the caller names the type of the id. */
export const idOf = <T extends Id<string>>(wrapped: { readonly value: string }): T => wrapped.value as T;
