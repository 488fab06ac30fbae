// Detects the host's resources that --resources leaves out (Mesos: docs/attributes-resources.md). Like Mesos it keeps 1 GB of
// memory and 5 GB of disk for the host, or half where there is less than twice as much.
import { availableParallelism, totalmem } from 'node:os';
import type { Files, Result } from '@meseta/base';
import { err, ok } from '@meseta/base';
import { parseResources } from '@meseta/resources';
import type { Resource } from '@meseta/wire';

const MB = 2 ** 20;
const GB = 2 ** 30;

const offeredMegabytes = (bytes: number, keptBytes: number): number =>
  Math.floor((bytes > 2 * keptBytes ? bytes - keptBytes : bytes / 2) / MB);

/** The flag's resources, and the detected cpus, mem, disk and ports where the flag does not name them. */
export async function agentResources(
  text: string | undefined,
  defaultRole: string,
  workDir: string,
  files: Files,
): Promise<Result<readonly Resource[], string>> {
  const given = parseResources(text ?? '', defaultRole);
  if (!given.ok) return err(`Flag --resources: ${given.error}`);
  const space = await files.diskSpace(workDir);
  const diskBytes = space.ok ? space.value.totalBytes : 20 * GB;
  const detected = [
    `cpus:${availableParallelism()}`,
    `mem:${offeredMegabytes(totalmem(), GB)}`,
    `disk:${offeredMegabytes(diskBytes, 5 * GB)}`,
    'ports:[31000-32000]',
  ].filter((each) => !namedResources(text).has(each.slice(0, each.indexOf(':'))));
  const more = parseResources(detected.join(';'), defaultRole);
  return more.ok ? ok([...given.value, ...more.value]) : err(more.error);
}

/** The names of all resources in the flag, also of those with the value 0. */
export function namedResources(text: string | undefined): ReadonlySet<string> {
  const found = new Set<string>();
  if (text === undefined) return found;
  for (const match of text.matchAll(/"name"\s*:\s*"([^"]+)"/g)) found.add(match[1] as string);
  for (const part of text.split(';')) found.add(part.split(/[:(]/)[0]?.trim() ?? '');
  return found;
}
