// The members of a tar archive that is a file: their names and places, read once.
import { err, ok, type Result } from '@meseta/base';
import { MAX_MEMBERS, type Members } from './archive.js';
import { componentsOf } from './layer-writer.js';
import { createTarReader, type TarEntry } from './tar-reader.js';

interface Member {
  readonly offset: number;
  readonly sizeBytes: number;
  /** Where a link leads: in newer archives of `docker save` directories share layers by links. */
  readonly target: string | undefined;
}

const MAX_LINKS = 8;

/** `a/../b` as `b`, as links between the directories of an archive have it; undefined: it leads out of the archive. */
function resolved(path: string): string | undefined {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join('/');
}

/** Indexes the archive, which is not compressed. */
export async function tarMembers(path: string, read: Members['read']): Promise<Result<Members, string>> {
  const members = new Map<string, Member>();
  const addEntry = (entry: TarEntry): string | undefined => {
    const components = componentsOf(entry.name);
    if (!components.ok) return components.error;
    const name = components.value.join('/');
    const { contentOffset: offset, sizeBytes, kind } = entry;
    if (kind === 'file') members.set(name, { offset, sizeBytes, target: undefined });
    else if (kind === 'hardLink') members.set(name, { offset, sizeBytes, target: entry.target });
    else if (kind === 'symlink') {
      const around = components.value.slice(0, -1).join('/');
      members.set(name, { offset, sizeBytes, target: `${around}/${entry.target}` });
    }
    return members.size > MAX_MEMBERS ? `more than ${MAX_MEMBERS} files` : undefined;
  };
  const reader = createTarReader({ entry: addEntry, content: () => undefined, endOfFile: () => undefined });
  for await (const part of read({ path, offset: 0, sizeBytes: undefined })) {
    const problem = reader.push(part);
    if (problem !== undefined) return err(problem);
  }
  const problem = reader.end();
  if (problem !== undefined) return err(problem);
  return ok({
    find(name) {
      let member = members.get(resolved(name) ?? '');
      for (let links = 0; member?.target !== undefined && links < MAX_LINKS; links++) {
        member = members.get(resolved(member.target) ?? '');
      }
      if (member === undefined || member.target !== undefined) return undefined;
      return { path, offset: member.offset, sizeBytes: member.sizeBytes };
    },
    read,
  });
}
