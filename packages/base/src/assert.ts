/** A broken invariant. Nothing catches it but the process' last handler, which ends the process. */
class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Ends the process unless `condition` holds: state is never continued from a lie. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** The value, which the program's own logic says is there. */
export function present<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new InvariantError(`${what} is missing`);
  return value;
}
