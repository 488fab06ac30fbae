// namespaces/ipc: a container has its own System V and POSIX IPC objects, and with `ipc_mode: PRIVATE` its own /dev/shm; with
// SHARE_PARENT it has those of its parent, which of a task is the agent (Mesos: docs/isolators/namespaces-ipc.md).
import { err, type LinuxMount, type LinuxPlan, ok } from '@meseta/base';
import type { Isolator } from './isolator.js';

export interface IpcOptions {
  /** `--disallow_sharing_agent_ipc_namespace` */
  readonly mayNotShareAgents: boolean;
  /** `--default_container_shm_size` */
  readonly defaultShmBytes: number | undefined;
}

const MB = 2 ** 20;
const SHM = '/dev/shm';
const SHM_OF_AGENT: LinuxMount = {
  kind: 'bind',
  source: { root: SHM, names: [] },
  target: SHM,
  isReadOnly: false,
};
const SHM_OF_PARENT: LinuxMount = { ...SHM_OF_AGENT, inParent: SHM };

export const createNamespacesIpc = ({ mayNotShareAgents, defaultShmBytes }: IpcOptions): Isolator => ({
  name: 'namespaces/ipc',
  isForPods: true,
  provides: 'ipcNamespaces',
  supports: ({ linux }) => linux,
  plan({ container, outer }) {
    const { ipc_mode: mode, shm_size: shmMegabytes } = container?.linux_info ?? {};
    const own: LinuxPlan['namespaces'] = ['mount', 'ipc'];
    const podShares = outer?.pod?.container?.linux_info?.ipc_mode === 'SHARE_PARENT';
    if (mayNotShareAgents && (podShares || (mode === 'SHARE_PARENT' && outer === undefined))) {
      const whose = podShares ? 'executor.container' : 'container';
      return err(`${whose}.linux_info.ipc_mode: --disallow_sharing_agent_ipc_namespace forbids SHARE_PARENT`);
    }
    if (mode === 'SHARE_PARENT') {
      if (shmMegabytes !== undefined) return err('container.linux_info.shm_size: expected with ipc_mode PRIVATE only');
      if (outer !== undefined && !podShares) {
        return ok({ linux: { namespaces: ['mount'], shared: ['ipc'], mounts: [SHM_OF_PARENT] } });
      }
      // A root file system of its own would else have its own.
      const hasOwnRoot = container?.mesos?.image !== undefined;
      return ok(hasOwnRoot ? { linux: { namespaces: ['mount'], mounts: [SHM_OF_AGENT] } } : {});
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
