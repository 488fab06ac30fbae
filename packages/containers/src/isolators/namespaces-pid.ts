// namespaces/pid: a container sees only its own processes (Mesos: docs/isolators/namespaces-pid.md). A task with
// `share_pid_namespace` sees those of the machine, unless the operator forbids it.
import { err, ok } from '@meseta/base';
import type { Isolator } from './isolator.js';

export interface PidOptions {
  /** `--disallow_sharing_agent_pid_namespace` */
  readonly mayNotShareAgents: boolean;
}

export const createNamespacesPid = ({ mayNotShareAgents }: PidOptions): Isolator => ({
  name: 'namespaces/pid',
  supports: ({ linux }) => linux,
  plan({ container }) {
    if (container?.linux_info?.share_pid_namespace !== true) return ok({ linux: { namespaces: ['mount', 'pid'] } });
    return mayNotShareAgents
      ? err('container.linux_info.share_pid_namespace: --disallow_sharing_agent_pid_namespace forbids it')
      : ok({});
  },
});
