// Replaces the maintenance schedule: machines that are new in it start draining, machines no longer in it are up.
// Source: Mesos' documentation of maintenance primitives.
import { ok, type Result } from '@meseta/base';
import type { MachineInfo, MaintenanceSchedule } from '@meseta/wire';
import { machineKey, type RegistryState } from './state.js';

export interface UpdateMaintenance {
  readonly kind: 'updateMaintenance';
  readonly schedule: MaintenanceSchedule;
}

export function updateMaintenance(registry: RegistryState, { schedule }: UpdateMaintenance): Result<boolean, string> {
  const scheduled = new Set<string>();
  for (const window of schedule.windows ?? []) {
    for (const id of window.machine_ids ?? []) {
      const key = machineKey(id);
      scheduled.add(key);
      const mode = registry.machines.get(key)?.mode ?? 'UP';
      const info: MachineInfo = {
        id,
        mode: mode === 'UP' ? 'DRAINING' : mode,
        unavailability: window.unavailability,
      };
      registry.machines.set(key, info);
    }
  }
  for (const key of [...registry.machines.keys()]) if (!scheduled.has(key)) registry.machines.delete(key);
  registry.schedules = (schedule.windows ?? []).length === 0 ? [] : [schedule];
  return ok(true);
}
