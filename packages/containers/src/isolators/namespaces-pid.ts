// namespaces/pid: a container sees only its own processes (Mesos: docs/isolators/namespaces-pid.md). A nested container with
// `share_pid_namespace` sees those of its parent; a task with it sees those of the machine, unless the operator forbids it.
import { err, ok } from '@meseta/base';
import type { Isolator } from './isolator.js';

export interface PidOptions {
  /** `--disallow_sharing_agent_pid_namespace` */
  readonly mayNotShareAgents: boolean;
}

export const createNamespacesPid = ({ mayNotShareAgents }: PidOptions): Isolator => ({
  name: 'namespaces/pid',
  isForPods: true,
  supports: ({ linux }) => linux,
  plan({ container, outer }) {
    const shares = container?.linux_info?.share_pid_namespace === true;
    const podShares = outer?.pod?.container?.linux_info?.share_pid_namespace === true;
    if (mayNotShareAgents && (podShares || (shares && outer === undefined))) {
      const whose = podShares ? 'executor.container' : 'container';
      return err(`${whose}.linux_info.share_pid_namespace: --disallow_sharing_agent_pid_namespace forbids it`);
    }
    if (!shares) return ok({ linux: { namespaces: ['mount', 'pid'] } });
    return outer === undefined || podShares ? ok({}) : ok({ linux: { namespaces: ['mount'], shared: ['pid'] } });
  },
});
