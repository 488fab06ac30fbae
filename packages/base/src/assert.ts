/** A broken invariant. Only the process' last handler catches it, and ends the process. */
class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Throws an InvariantError unless `condition` holds, so that the process ends instead of using wrong state. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Returns a value that the program's logic guarantees; throws an InvariantError if it is missing. */
export function present<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new InvariantError(`${what} is missing`);
  return value;
}
