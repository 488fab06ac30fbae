// What isolators are waiting for, for `/containerizer/debug`: a launch that hangs can be seen with the isolator that it hangs in.
import type { Isolator } from './isolators/isolator.js';

/** With the fields of Mesos' answer. */
export interface PendingOperation {
  readonly operation: string;
  /** The name of the isolator. */
  readonly component: string;
  readonly args: { readonly [name: string]: string };
}

export interface PendingOperations {
  /** An isolator that works as the given one, and whose calls are pending until they end. */
  track(isolator: Isolator): Isolator;
  /** The oldest first. */
  list(): readonly PendingOperation[];
}

export function createPendingOperations(): PendingOperations {
  const pending = new Set<PendingOperation>();

  async function wait<T>(operation: PendingOperation, call: () => Promise<T>): Promise<T> {
    pending.add(operation);
    try {
      return await call();
    } finally {
      pending.delete(operation);
    }
  }

  return {
    list: () => [...pending],
    track(isolator) {
      const { name: component, prepare, update, cleanUp } = isolator;
      const about = (operation: string, containerId: string): PendingOperation => ({
        operation,
        component,
        args: { containerId },
      });
      return {
        ...isolator,
        ...(prepare && {
          prepare: (spec, preparing) => wait(about('prepare', spec.containerId), async () => prepare(spec, preparing)),
        }),
        ...(update && { update: (record) => wait(about('update', record.containerId), async () => update(record)) }),
        ...(cleanUp && {
          cleanUp: (containerId) => wait(about('cleanup', containerId), async () => cleanUp(containerId)),
        }),
      };
    },
  };
}
