// Scheduled machines go down: their agents are shut down and may not register until the machines are up again.
import { err, ok, type Result } from '@meseta/base';
import type { MachineID } from '@meseta/wire';
import { machineKey, type RegistryState } from './state.js';

export interface StartMaintenance {
  readonly kind: 'startMaintenance';
  readonly machines: readonly MachineID[];
}

export function startMaintenance(registry: RegistryState, { machines }: StartMaintenance): Result<boolean, string> {
  const missing = machines.find((id) => registry.machines.get(machineKey(id)) === undefined);
  if (missing !== undefined) return err(`machine ${machineKey(missing)} is not in the maintenance schedule`);
  for (const id of machines) {
    const before = registry.machines.get(machineKey(id));
    if (before !== undefined) registry.machines.set(machineKey(id), { ...before, mode: 'DOWN' });
  }
  return ok(machines.length > 0);
}
