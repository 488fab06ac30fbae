// posix/rlimits: sets the resource limits that `ContainerInfo.rlimit_info` names (Mesos: docs/isolators/posix-rlimits.md).
import { ok } from '@meseta/base';
import { findRlimitTool, rlimitArgv } from '../plan/rlimits.js';
import type { Isolator } from './isolator.js';

export const posixRlimits: Isolator = {
  name: 'posix/rlimits',
  provides: 'rlimits',
  supports: ({ tools }) => findRlimitTool(tools),
  plan({ rlimits: wanted }, { tools, limits }) {
    const rlimits = rlimitArgv(wanted?.rlimits ?? [], limits, tools);
    return rlimits.ok ? ok({ rlimits: rlimits.value }) : rlimits;
  },
};
