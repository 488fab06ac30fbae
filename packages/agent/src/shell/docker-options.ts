// The options of the Docker containerizer, from the agent's flags.
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { err, type Files, ok, type Result } from '@meseta/base';
import type { DockerOptions } from '@meseta/containers/launchers/docker/backend';
import { sendLocalRequest } from '@meseta/platform/local-http';
import type { AgentFlags } from './flags.js';

/** The credentials of registries, as JSON. The flag may name a file. */
export async function readDockerConfig(
  { docker_config: config }: AgentFlags,
  files: Pick<Files, 'readText'>,
): Promise<Result<string | undefined, string>> {
  const read = config?.startsWith('/') ? await files.readText(config) : ok(config);
  return read.ok ? read : err(`--docker_config: ${read.error.message}`);
}

/** undefined: --containerizers has no docker. */
export function dockerOptions(flags: AgentFlags, config: string | undefined): DockerOptions | undefined {
  if (!flags.containerizers.includes('docker')) return undefined;
  return {
    socket: resolve(flags.docker_socket),
    config,
    sandboxDirectory: flags.sandbox_directory,
    enableCfs: flags.cgroups_enable_cfs,
    defaultDns: flags.default_container_dns?.docker ?? [],
    stopTimeoutMs: flags.docker_stop_timeout,
    removeDelayMs: flags.docker_remove_delay,
    killOrphans: flags.docker_kill_orphans,
    // The runtime directory has the records of the containers.
    agent: createHash('sha256').update(resolve(flags.runtime_dir)).digest('hex').slice(0, 16),
    sendLocalRequest,
  };
}
