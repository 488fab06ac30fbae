// Removes the sandboxes of ended containers.
//
// REMOVAL-1: a container is launched when no removal of its sandbox, or of a sandbox around it, is running (`endedAround`).
import { type Files, ok, type SystemResult } from '@meseta/base';
import { isNested, LATEST, openAroundSandbox, sandboxName, within } from './sandbox.js';
import { type Progress, removeTreePart } from './trees.js';

/** The running removals of sandboxes. */
export interface Removals {
  add(path: string, removal: Promise<unknown>): void;
  /** Resolves when no removal of this path, or of a directory above it, runs any more. */
  endedAround(path: string): Promise<void>;
}

export function createRemovals(): Removals {
  const running = new Map<string, Promise<unknown>>();
  return {
    add(path, removal) {
      const all = Promise.all([running.get(path), removal]);
      running.set(path, all);
      void all.then(() => {
        if (running.get(path) === all) running.delete(path);
      });
    },
    async endedAround(path) {
      if (running.size === 0) return;
      for (let at = path; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) await running.get(at);
    },
  };
}

/** Removes a part of a sandbox, and the link `latest` to a sandbox that is gone. */
const removeSandboxPart = async (files: Files, path: string): Promise<SystemResult<Progress>> =>
  within(await openAroundSandbox(files, path), async (around) => {
    const done = await removeTreePart(around, sandboxName(path));
    const latest = done.ok && done.value === 'removed' ? await around.readLink(LATEST) : undefined;
    if (latest?.ok && latest.value === path) await around.removeFile(LATEST);
    return done;
  });

export interface RemovalPorts {
  readonly files: Files;
  readonly workDir: string;
  /** Limits how many parts are removed at the same time. */
  readonly limitRemovals: <T>(work: () => Promise<T>) => Promise<T>;
}

/** Removes a sandbox, and the directories above it up to work_dir if they are empty then. */
export async function removeSandbox(
  { files, workDir, limitRemovals }: RemovalPorts,
  path: string,
): Promise<SystemResult<void>> {
  for (;;) {
    // Each part waits for its turn, so that a large sandbox does not delay the removal of others (TREES-3).
    const removed = await limitRemovals(() => removeSandboxPart(files, path));
    if (!removed.ok) return removed.error.code === 'ENOENT' ? ok(undefined) : removed;
    if (removed.value === 'removed') break;
  }
  // The directories above a nested sandbox belong to its parent.
  for (let at = path; !isNested(path); ) {
    at = at.slice(0, at.lastIndexOf('/'));
    if (!at.startsWith(`${workDir}/`) || !(await files.removeEmptyDirectory(at)).ok) break;
  }
  return ok(undefined);
}
