// What the engine's description of a container means for the agent. Pure.
import type { NetworkInfo, NetworkInfoIPAddress } from '@meseta/wire';
import type { ContainerEnd, StartedFacts } from '../../types.js';
import type { Inspected } from './engine-responses.js';

/** Statuses are stored and sent again until they are acknowledged. */
const MAX_DATA_BYTES = 256 * 1024;
/** A process that the kernel killed for its memory has this exit code: 128 and SIGKILL. */
const KILLED = 137;
const MIB = 2 ** 20;

export const isRunning = ({ State }: Inspected): boolean => {
  const status = State.Status;
  return status === 'running' || status === 'paused' || status === 'restarting' || status === 'removing';
};

/** The first process of the container on this machine; 0 if the engine doesn't say. */
export const pidOf = ({ State }: Inspected): number => State.Pid ?? 0;

/** How the container ended. The engine reports the exit code of its first process, 128 and the number for a signal. */
export function endOf({ State, HostConfig }: Inspected): ContainerEnd {
  const code = State.ExitCode;
  // A container that was created and never started has the code 0 too.
  if (code === undefined || State.Status === 'created') return { status: { kind: 'unknown' } };
  const end = { status: { kind: 'exited' as const, code }, message: `Container exited with status ${code}` };
  if (State.OOMKilled !== true || code !== KILLED) return end;
  const mib = Math.floor((HostConfig.Memory ?? 0) / MIB);
  return {
    ...end,
    limitation: {
      resources: [{ name: 'mem', type: 'SCALAR', scalar: { value: mib } }],
      reason: 'REASON_CONTAINER_LIMITATION_MEMORY',
      message: `Memory limit exceeded: the container was killed because it needed more than its ${mib}MB`,
    },
  };
}

/** The addresses of the container in its network; none in the host's. */
function addressesOf({ HostConfig, NetworkSettings }: Inspected): readonly NetworkInfoIPAddress[] {
  const { Networks } = NetworkSettings;
  // The default network has the name `bridge`, whatever the mode is called.
  const endpoint = Networks.get(HostConfig.NetworkMode ?? '') ?? [...Networks.values()][0];
  const { IPAddress, GlobalIPv6Address } = endpoint ?? {};
  return [
    ...(IPAddress ? [{ ip_address: IPAddress }] : []),
    ...(GlobalIPv6Address ? [{ protocol: 'IPv6' as const, ip_address: GlobalIPv6Address }] : []),
  ];
}

/** The address at which the agent reaches the container's ports; undefined if it has none. */
export function hostOf(container: Inspected, ipv6: boolean): string | undefined {
  if (container.HostConfig.NetworkMode === 'host') return ipv6 ? '::1' : '127.0.0.1';
  return addressesOf(container).find(({ protocol }) => (protocol === 'IPv6') === ipv6)?.ip_address;
}

/** For the status TASK_RUNNING: what `docker inspect` prints, and the addresses with what the task said of its network. */
export function factsOf(container: Inspected, json: unknown, networkInfo: NetworkInfo | undefined): StartedFacts {
  // A description that is too long already is not indented, which could make it far longer.
  const isTooLong = JSON.stringify(json).length > MAX_DATA_BYTES;
  const data = Buffer.from(isTooLong ? '' : `${JSON.stringify([json], null, 4)}\n`);
  const addresses = addressesOf(container);
  return {
    ...(isTooLong || data.length > MAX_DATA_BYTES ? {} : { data: data.toString('base64') }),
    ...(addresses.length === 0 ? {} : { networkInfos: [{ ...networkInfo, ip_addresses: addresses }] }),
  };
}
