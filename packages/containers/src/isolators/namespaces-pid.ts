// namespaces/pid: a container sees only its own processes (Mesos: docs/isolators/namespaces-pid.md). A task with
// `share_pid_namespace` sees those of the machine, unless the operator forbids it. A nested container would share the namespace
// of its parent, which this agent can't do; it is refused, as it must not see the machine instead.
import { err, ok } from '@meseta/base';
import type { Isolator } from './isolator.js';

export interface PidOptions {
  /** `--disallow_sharing_agent_pid_namespace` */
  readonly mayNotShareAgents: boolean;
}

export const createNamespacesPid = ({ mayNotShareAgents }: PidOptions): Isolator => ({
  name: 'namespaces/pid',
  supports: ({ linux }) => linux,
  plan({ container, outer }) {
    if (container?.linux_info?.share_pid_namespace !== true) return ok({ linux: { namespaces: ['mount', 'pid'] } });
    if (outer !== undefined && outer.pod?.container?.linux_info?.share_pid_namespace !== true) {
      return err('container.linux_info.share_pid_namespace: a container can share the namespace of the agent only');
    }
    return mayNotShareAgents
      ? err('container.linux_info.share_pid_namespace: --disallow_sharing_agent_pid_namespace forbids it')
      : ok({});
  },
});
