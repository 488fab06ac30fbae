// posix/rlimits: sets the resource limits that `ContainerInfo.rlimit_info` names (Mesos: docs/isolators/posix-rlimits.md).
import { ok } from '@meseta/base';
import { processLimits } from '../plan/rlimits.js';
import type { Isolator } from './isolator.js';

export const posixRlimits: Isolator = {
  name: 'posix/rlimits',
  provides: 'rlimits',
  supports: () => ok(undefined),
  plan({ rlimits: wanted }, { limits }) {
    const rlimits = processLimits(wanted?.rlimits ?? [], limits);
    return rlimits.ok ? ok({ rlimits: rlimits.value }) : rlimits;
  },
};
