// Ids as branded strings: an agent's can't be given where a task's is asked for.
// Inside wire records an id is a `{ value }` object; in the cores and in Maps it is one of these.

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

/** The id in a wire record's `{ value }` wrapper, as the id type that the caller names. */
export const idOf = <T extends Id<string>>(wrapped: { readonly value: string }): T => wrapped.value as T;
