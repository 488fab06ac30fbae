// Validates the commands and containers of tasks, executors and checks.
import { checkPathBelow } from '@meseta/base';
import type { CommandInfo, ContainerInfo, EnvironmentVariable, Secret, Volume } from '@meseta/wire';
import { firstAmong, firstOf, type Problem } from './problem.js';

export const checkCommand = (field: string, command: CommandInfo): Problem =>
  firstAmong(command.environment?.variables ?? [], (variable, i) =>
    checkVariable(`${field}.environment.variables[${i}]`, variable),
  );

function checkVariable(at: string, { type = 'VALUE', name, value, secret }: EnvironmentVariable): Problem {
  if (type === 'VALUE') {
    if (value === undefined) return `${at}.value: is missing for '${name}'`;
    return secret === undefined ? undefined : `${at}.secret: must not be set for a variable of type VALUE`;
  }
  if (type !== 'SECRET') return `${at}.type: expected VALUE or SECRET, got ${type}`;
  if (secret === undefined) return `${at}.secret: is missing for '${name}'`;
  if (value !== undefined) return `${at}.value: must not be set for a variable of type SECRET`;
  return checkSecret(`${at}.secret`, secret);
}

/** Errors do not quote the secret's value. As in Mesos, a secret without a type is checked by its content. */
function checkSecret(at: string, { type, reference, value }: Secret): Problem {
  if (type !== 'REFERENCE' && type !== 'VALUE') return undefined;
  const parts = { reference, value };
  const [own, other] = type === 'REFERENCE' ? (['reference', 'value'] as const) : (['value', 'reference'] as const);
  if (parts[own] === undefined) return `${at}.${own}: is missing for a secret of type ${type}`;
  return parts[other] === undefined ? undefined : `${at}.${other}: must not be set for a secret of type ${type}`;
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
