// Who is attached to which container.
//
// Owns: the container whose input a client writes, and the number of clients that read its output, by its id in the launcher.
// ATTACHMENTS-1: one client at a time writes to a container.
// ATTACHMENTS-2: the number of clients that read the output of a container is limited.
import { type ContainerId, overLimit } from '@meseta/base';

export interface Attachments {
  /** Returns the function that detaches; undefined: another client is attached. */
  attachInput(containerId: ContainerId): (() => void) | undefined;
  /** Returns the function that detaches, or the limit that is exceeded. */
  attachOutput(containerId: ContainerId): (() => void) | string;
}

export function createAttachments(): Attachments {
  const inputs = new Set<ContainerId>();
  const outputs = new Map<ContainerId, number>();
  return {
    attachInput(containerId) {
      if (inputs.has(containerId)) return undefined;
      inputs.add(containerId);
      return () => void inputs.delete(containerId);
    },
    attachOutput(containerId) {
      const count = (outputs.get(containerId) ?? 0) + 1;
      const excess = overLimit('attachedOutputs', "clients that read the container's output", count);
      if (excess !== undefined) return excess;
      outputs.set(containerId, count);
      return () => {
        const left = (outputs.get(containerId) ?? 1) - 1;
        if (left === 0) outputs.delete(containerId);
        else outputs.set(containerId, left);
      };
    },
  };
}
