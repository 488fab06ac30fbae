// namespaces/ipc: a container has its own System V and POSIX IPC objects, and with `ipc_mode: PRIVATE` its own /dev/shm
// (Mesos: docs/isolators/namespaces-ipc.md).
import { err, type LinuxPlan, ok } from '@meseta/base';
import type { Isolator } from './isolator.js';

export interface IpcOptions {
  /** `--disallow_sharing_agent_ipc_namespace` */
  readonly mayNotShareAgents: boolean;
  /** `--default_container_shm_size` */
  readonly defaultShmBytes: number | undefined;
}

const MB = 2 ** 20;
const SHM = '/dev/shm';

export const createNamespacesIpc = ({ mayNotShareAgents, defaultShmBytes }: IpcOptions): Isolator => ({
  name: 'namespaces/ipc',
  provides: 'ipcNamespaces',
  supports: ({ linux }) => linux,
  plan({ container, outer }) {
    const { ipc_mode: mode, shm_size: shmMegabytes } = container?.linux_info ?? {};
    const own: LinuxPlan['namespaces'] = ['mount', 'ipc'];
    if (mode === 'SHARE_PARENT') {
      if (shmMegabytes !== undefined) return err('container.linux_info.shm_size: expected with ipc_mode PRIVATE only');
      if (outer !== undefined && outer.pod?.container?.linux_info?.ipc_mode !== 'SHARE_PARENT') {
        return err('container.linux_info.ipc_mode: a container can share the namespace of the agent only');
      }
      return mayNotShareAgents
        ? err('container.linux_info.ipc_mode: --disallow_sharing_agent_ipc_namespace forbids SHARE_PARENT')
        : ok({});
    }
    if (mode !== 'PRIVATE') {
      return shmMegabytes === undefined
        ? ok({ linux: { namespaces: own } })
        : err('container.linux_info.shm_size: expected with ipc_mode PRIVATE only');
    }
    const bytes = shmMegabytes === undefined ? defaultShmBytes : shmMegabytes * MB;
    return ok({ linux: { namespaces: own, mounts: [{ kind: 'tmpfs', target: SHM, bytes }] } });
  },
});
