// What this host has, for the resources that --resources leaves out. Mesos: docs/attributes-resources.md; of memory
// and disk it keeps some for the host: 1 GB and 5 GB, or half where there is little.
import { availableParallelism, totalmem } from 'node:os';
import type { Files, Result } from '@meseta/base';
import { err, ok } from '@meseta/base';
import { parseResources } from '@meseta/resources';
import type { Resource } from '@meseta/wire';

const MB = 2 ** 20;
const GB = 2 ** 30;

const leaving = (bytes: number, spared: number): number =>
  Math.floor((bytes > 2 * spared ? bytes - spared : bytes / 2) / MB);

/** The flag's resources and, for cpus, mem, disk and ports that it doesn't name, what the host has. */
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
    `mem:${leaving(totalmem(), GB)}`,
    `disk:${leaving(diskBytes, 5 * GB)}`,
    'ports:[31000-32000]',
  ].filter((each) => !names(text).has(each.slice(0, each.indexOf(':'))));
  const more = parseResources(detected.join(';'), defaultRole);
  return more.ok ? ok([...given.value, ...more.value]) : err(more.error);
}

/** Every name that the flag has a word on, a zero of it too. */
function names(text: string | undefined): ReadonlySet<string> {
  const found = new Set<string>();
  if (text === undefined) return found;
  for (const match of text.matchAll(/"name"\s*:\s*"([^"]+)"/g)) found.add(match[1] as string);
  for (const part of text.split(';')) found.add(part.split(/[:(]/)[0]?.trim() ?? '');
  return found;
}
