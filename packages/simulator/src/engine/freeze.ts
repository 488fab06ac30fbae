// Messages never change once they are made: in the simulator whoever tries is stopped.

/** Freezes a message and all that is in it; what is frozen already is taken as frozen throughout. */
export function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const field in value) freeze(value[field]);
  return value;
}
