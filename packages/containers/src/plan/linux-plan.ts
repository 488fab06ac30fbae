// Puts the parts of a container's Linux plan together, which isolators make one by one.
import { type LinuxPlan, SHARED_LINUX } from '@meseta/base';

/** Adds the namespaces, those that are shared, and the mounts of `patch`; its other values replace those before. */
export function mergeLinuxPlans(plan: LinuxPlan | undefined, patch: Partial<LinuxPlan>): LinuxPlan {
  const before = plan ?? SHARED_LINUX;
  return {
    ...before,
    ...patch,
    namespaces: [...new Set([...before.namespaces, ...(patch.namespaces ?? [])])],
    shared: [...new Set([...before.shared, ...(patch.shared ?? [])])],
    mounts: [...before.mounts, ...(patch.mounts ?? [])],
    devices: [...before.devices, ...(patch.devices ?? [])],
  };
}
