// docker/runtime: a container has the root file system of an image, whose Entrypoint, Cmd, Env and WorkingDir are merged with its
// command (Mesos: docs/isolators/docker-runtime.md). The image's User is not used, as in Mesos: containers run as the task's
// user.
import { ok, type Result } from '@meseta/base';
import { mountsOf, needsDriver, withDriverPaths } from '../gpus/driver-files.js';
import type { Gpus } from '../gpus/gpus.js';
import type { Images } from '../images/images.js';
import { environmentOf, executableOf, workingDirectoryOf } from '../images/runtime.js';
import type { ContainerSpec } from '../types.js';
import type { Isolator, PlanPatch, Preparing } from './isolator.js';

/** With `--docker_ignore_runtime`. */
const NOTHING = { entrypoint: [], cmd: [] };

async function prepare(
  images: Images,
  gpus: Gpus | undefined,
  spec: ContainerSpec,
  { owner, signal }: Preparing,
): Promise<Result<PlanPatch, string>> {
  const image = spec.container?.mesos?.image;
  if (image === undefined) return ok({});
  // Root has no more by them than it has.
  const keepsPrivileges = owner === undefined || owner.uid === 0;
  const provisioned = await images.provision(image, spec.containerId, { keepsPrivileges, signal });
  if (!provisioned.ok) return provisioned;
  const { root: path, config } = provisioned.value;
  const { sandboxDirectory } = images;
  const root = { path, sandbox: spec.sandbox, sandboxInRoot: sandboxDirectory };
  const executable = executableOf(spec.command, images.ignoresRuntime ? NOTHING : config);
  if (!executable.ok) return executable;
  const hasDriver = gpus !== undefined && needsDriver(config);
  const mounts = hasDriver ? mountsOf(gpus.driverFiles) : [];
  if (images.ignoresRuntime) return ok({ root, linux: { mounts, workingDirectory: sandboxDirectory } });
  const workingDirectory = workingDirectoryOf(config, sandboxDirectory);
  if (!workingDirectory.ok) return workingDirectory;
  return ok({
    root,
    ...(executable.value === undefined ? {} : { executable: executable.value }),
    environment: environmentOf(spec, hasDriver ? { env: withDriverPaths(config.env) } : config),
    linux: { mounts, workingDirectory: workingDirectory.value },
  });
}

/** `gpus`: of the isolator gpu/nvidia, whose containers get the driver's files. */
export const createDockerRuntime = (images: Images, gpus: Gpus | undefined): Isolator => ({
  name: 'docker/runtime',
  isForPods: true,
  provides: 'images',
  supports: ({ linux }) => linux,
  prepare: (spec, preparing) => prepare(images, gpus, spec, preparing),
  recover: (alive) => images.recover(new Set(alive.map(({ containerId }) => containerId))),
  cleanUp: (containerId) => images.release(containerId),
});
