// Commands and containers, as tasks, executors and checks carry them.
import { checkPathBelow } from '@meseta/base';
import type { CommandInfo, ContainerInfo, Volume } from '@meseta/wire';
import { firstAmong, firstOf, type Problem } from './problem.js';

export function checkCommand(field: string, command: CommandInfo): Problem {
  for (const [i, variable] of (command.environment?.variables ?? []).entries()) {
    const at = `${field}.environment.variables[${i}]`;
    if ((variable.type ?? 'VALUE') === 'VALUE') {
      if (variable.value === undefined) return `${at}.value: is missing for '${variable.name}'`;
      if (variable.secret !== undefined) return `${at}.secret: must not be set for a variable of type VALUE`;
    } else if (variable.type === 'SECRET') {
      if (variable.secret === undefined) return `${at}.secret: is missing for '${variable.name}'`;
      if (variable.value !== undefined) return `${at}.value: must not be set for a variable of type SECRET`;
    } else {
      return `${at}.type: expected VALUE or SECRET, got ${variable.type}`;
    }
  }
  return undefined;
}

export function checkContainer(field: string, container: ContainerInfo): Problem {
  return firstOf(
    () => firstAmong(container.volumes ?? [], (volume, i) => checkVolume(`${field}.volumes[${i}]`, volume)),
    () =>
      container.type === 'DOCKER' && container.docker === undefined
        ? `${field}.docker: is missing for a container of type DOCKER`
        : undefined,
    () => {
      const seccomp = container.linux_info?.seccomp;
      return seccomp?.unconfined === true && seccomp.profile_name !== undefined
        ? `${field}.linux_info.seccomp: profile_name and unconfined exclude each other`
        : undefined;
    },
  );
}

function checkVolume(field: string, volume: Volume): Problem {
  const { host_path, image, source } = volume;
  const kinds = [host_path, image, source].filter((kind) => kind !== undefined).length;
  if (kinds !== 1) return `${field}: expected exactly one of host_path, image and source, got ${kinds}`;
  const path = checkPathBelow(`${field}.container_path`, volume.container_path);
  if (path !== undefined || source === undefined) return path;
  if (source.sandbox_path !== undefined) {
    const inSandbox = checkPathBelow(`${field}.source.sandbox_path.path`, source.sandbox_path.path);
    if (inSandbox !== undefined) return inSandbox;
  }
  const body = {
    DOCKER_VOLUME: source.docker_volume,
    HOST_PATH: source.host_path,
    SANDBOX_PATH: source.sandbox_path,
    SECRET: source.secret,
    CSI_VOLUME: source.csi_volume,
    UNKNOWN: undefined,
  }[source.type ?? 'UNKNOWN'];
  if (source.type === undefined || source.type === 'UNKNOWN') return `${field}.source.type: is missing or unknown`;
  return body === undefined ? `${field}.source.${source.type.toLowerCase()}: is missing` : undefined;
}
