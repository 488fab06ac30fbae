// Machines are up again: they are removed from the schedule, and so are windows without machines.
import { ok, type Result } from '@meseta/base';
import type { MachineID, MaintenanceWindow } from '@meseta/wire';
import { machineKey, type RegistryState } from './state.js';

export interface StopMaintenance {
  readonly kind: 'stopMaintenance';
  readonly machines: readonly MachineID[];
}

export function stopMaintenance(registry: RegistryState, { machines }: StopMaintenance): Result<boolean, string> {
  const up = new Set(machines.map(machineKey));
  for (const key of up) registry.machines.delete(key);
  registry.schedules = registry.schedules.flatMap((schedule) => {
    const windows: MaintenanceWindow[] = [];
    for (const window of schedule.windows ?? []) {
      const remaining = (window.machine_ids ?? []).filter((id) => !up.has(machineKey(id)));
      if (remaining.length > 0) windows.push({ ...window, machine_ids: remaining });
    }
    return windows.length === 0 ? [] : [{ ...schedule, windows }];
  });
  return ok(machines.length > 0);
}
