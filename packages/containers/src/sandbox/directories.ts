// Lists directories that only the agent can write to, or that the kernel has.
import { type DirectoryEntry, type Files, ok, type SystemResult } from '@meseta/base';
import { within } from './sandbox.js';

/** The names in a directory, of one kind if it is given. */
export async function listNames(
  files: Files,
  path: string,
  kind?: DirectoryEntry['kind'],
): Promise<SystemResult<readonly string[]>> {
  const names: string[] = [];
  const listed = await within(await files.openDirectory(path), (directory) =>
    directory.list((entries) => {
      for (const entry of entries) if (kind === undefined || entry.kind === kind) names.push(entry.name);
      return true;
    }),
  );
  return listed.ok ? ok(names) : listed;
}
