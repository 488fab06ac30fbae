// Messages are immutable: the simulator freezes them, so code that changes one throws.

/** Freezes a message deeply; a frozen object is taken to be frozen deeply. */
export function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const field in value) freeze(value[field]);
  return value;
}
