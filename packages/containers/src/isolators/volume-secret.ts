// volume/secret: shows secrets of the task as files in its sandbox (Mesos: docs/secrets.md). They lie in the agent's runtime
// directory, best in memory, and are mounted in the container's own view of the file system: nothing of them is in the
// sandbox that others may read.
//
// Owns: the files `secrets/CONTAINER/N` below the runtime directory.
// VOLUME-SECRET-1: only the container's user can read a secret, and only through its mount; it is removed with the container,
//   or by the next agent.
import { type ContainerId, err, type Files, type Owner, ok, type Result, type SystemResult } from '@meseta/base';
import type { Secret } from '@meseta/wire';
import { listNames } from '../sandbox/directories.js';
import { openOrMake, within } from '../sandbox/sandbox.js';
import { removeTree } from '../sandbox/trees.js';
import type { ContainerSpec } from '../types.js';
import type { Isolator } from './isolator.js';
import { mountVolumes } from './volume-mounts.js';

export interface SecretOptions {
  readonly files: Files;
  /** Absolute; only the agent's user can enter it. */
  readonly runtimeDir: string;
}

const SECRETS = 'secrets';
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o400;

interface SecretVolume {
  readonly containerPath: string;
  /** The name of its file. */
  readonly name: string;
  readonly data: Uint8Array;
}

/** The secrets of the container's volumes; `plan/supported.ts` refuses those that are references. */
function secretsOf({ container }: ContainerSpec): readonly SecretVolume[] {
  return (container?.volumes ?? []).flatMap(({ container_path, source }, index) => {
    if (source?.type !== 'SECRET') return [];
    return [{ containerPath: container_path, name: `${index}`, data: dataOf(source.secret) }];
  });
}

const dataOf = (secret: Secret | undefined): Uint8Array => Buffer.from(secret?.value?.data ?? '', 'base64');

export function createVolumeSecret({ files, runtimeDir }: SecretOptions): Isolator {
  const open = async (): ReturnType<typeof openOrMake> =>
    within(await files.openDirectory(runtimeDir), (runtime) => openOrMake(runtime, SECRETS, { mode: DIRECTORY_MODE }));

  const remove = async (containerId: string): Promise<void> => {
    await within(await open(), async (secrets) => removeTree(secrets, containerId));
  };

  async function write(
    containerId: ContainerId,
    secrets: readonly SecretVolume[],
    owner: Owner | undefined,
  ): Promise<SystemResult<void>> {
    return within(await open(), async (all) =>
      within(await openOrMake(all, containerId, { mode: DIRECTORY_MODE }), async (directory) => {
        for (const { name, data } of secrets) {
          const made = await directory.makeFile(name, { mode: FILE_MODE, owner });
          const written = made.ok ? await made.value.append(data) : made;
          if (made.ok) made.value.close();
          if (!written.ok) return written;
        }
        return ok(undefined);
      }),
    );
  }

  return {
    name: 'volume/secret',
    isForPods: true,
    provides: 'secretVolumes',
    supports: ({ linux }) => linux,
    async prepare(spec, { owner }): Promise<Result<ReturnType<typeof mountVolumes>, string>> {
      const secrets = secretsOf(spec);
      if (secrets.length === 0) return ok({});
      const { containerId, sandbox } = spec;
      // A crash may have left some of them.
      await remove(containerId);
      const written = await write(containerId, secrets, owner);
      if (!written.ok) return err(`secret: ${written.error.message}`);
      const volumes = secrets.map(({ containerPath, name }) => {
        const place = { root: `${runtimeDir}/${SECRETS}/${containerId}/${name}`, names: [] };
        return { containerPath, place, isPersistent: false, isReadOnly: true, mustExist: true };
      });
      return ok(mountVolumes(sandbox, volumes));
    },
    async recover(alive) {
      const known = new Set<string>(alive.map(({ containerId }) => containerId));
      const names = await listNames(files, `${runtimeDir}/${SECRETS}`);
      for (const name of names.ok ? names.value : []) if (!known.has(name)) await remove(name);
    },
    cleanUp: remove,
  };
}
