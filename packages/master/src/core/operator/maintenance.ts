// Maintenance calls. There is one schedule, and a machine goes UP -> DRAINING -> DOWN -> UP.
// Source: Mesos' documentation of maintenance.
import { overLimit } from '@meseta/base';
import type { MachineID, MaintenanceSchedule } from '@meseta/wire';
import { machineKey, machineKeyOf } from '../../registry/state.js';
import { shutDownForMaintenance } from '../agents/remove.js';
import { type Context, reply } from '../context.js';
import type { RequestId } from '../io.js';
import { rescindInverseOffersOf, rescindOffersOf } from '../offers.js';
import { propose } from '../registrar.js';
import type { Agent } from '../state.js';
import { firstAmong, firstOf, type Problem } from '../validation/problem.js';

export function updateSchedule(
  ctx: Context,
  request: RequestId,
  principal: string | undefined,
  schedule: MaintenanceSchedule,
): void {
  const { registrar, options } = ctx.state;
  const listed = new Map<string, MachineID>();
  const problem = checkSchedule(schedule, listed);
  if (problem !== undefined) return reply(ctx, request, 400, problem);
  const before = registrar.projected.machines;
  const missing = [...before.values()].find(({ id, mode }) => mode === 'DOWN' && !listed.has(machineKey(id)));
  if (missing !== undefined) {
    return reply(ctx, request, 400, `schedule: machine ${machineText(missing.id)} is down and may not be left out`);
  }
  // An empty schedule names no machine, so it needs no authorization of one.
  if (listed.size > 0 && !options.authorize({ action: 'UPDATE_MAINTENANCE_SCHEDULE', principal })) {
    return reply(ctx, request, 403, 'not authorized to update the maintenance schedule');
  }
  const affected = [...listed.values(), ...[...before.values()].map(({ id }) => id)];
  propose(ctx, { kind: 'updateMaintenance', schedule }, { kind: 'maintenanceUpdated', affected, request });
}

const machineText = (id: MachineID): string => `${id.hostname ?? ''}/${id.ip ?? ''}`;

function checkSchedule(schedule: MaintenanceSchedule, listed: Map<string, MachineID>): Problem {
  for (const [i, window] of (schedule.windows ?? []).entries()) {
    const at = `schedule.windows[${i}]`;
    const machines = window.machine_ids ?? [];
    if (machines.length === 0) return `${at}.machine_ids: expected at least one machine`;
    if ((window.unavailability.duration?.nanoseconds ?? 0) < 0) {
      return `${at}.unavailability.duration: expected a duration >= 0`;
    }
    const problem = checkMachines(`${at}.machine_ids`, machines);
    if (problem !== undefined) return problem;
    for (const id of machines) {
      if (listed.has(machineKey(id))) return `${at}.machine_ids: machine ${machineText(id)} is listed twice`;
      listed.set(machineKey(id), id);
    }
    const tooMany = overLimit('machines', 'schedule.windows: the machines of all', listed.size);
    if (tooMany !== undefined) return tooMany;
  }
  return undefined;
}

function checkMachines(field: string, machines: readonly MachineID[]): Problem {
  const tooMany = overLimit('machines', field, machines.length);
  if (tooMany !== undefined) return tooMany;
  const seen = new Set<string>();
  return firstAmong(machines, (id) => {
    if ((id.hostname ?? '') === '' && (id.ip ?? '') === '') return `${field}: expected a hostname or an ip`;
    if ((id.ip ?? '') !== '' && !isIpv4(id.ip ?? '')) {
      return `${field}.ip: expected an IPv4 address, got ${JSON.stringify(id.ip)}`;
    }
    if (seen.has(machineKey(id))) return `${field}: machine ${machineText(id)} is listed twice`;
    seen.add(machineKey(id));
    return undefined;
  });
}

const isIpv4 = (text: string): boolean => /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/.test(text);

function agentsOn(ctx: Context, machines: readonly MachineID[]): Agent[] {
  const keys = new Set(machines.map(machineKey));
  return [...ctx.state.agents.registered.values()].filter((agent) => keys.has(machineKeyOf(agent)));
}

export function maintenanceUpdated(ctx: Context, affected: readonly MachineID[], request: RequestId): void {
  const { state } = ctx;
  for (const agent of agentsOn(ctx, affected)) {
    rescindOffersOf(ctx, agent);
    rescindInverseOffersOf(ctx, agent);
    const machine = state.registrar.durable.machines.get(machineKeyOf(agent));
    state.allocator.updateUnavailability(agent.id, machine?.unavailability);
  }
  reply(ctx, request, 200);
}

export function startMaintenance(
  ctx: Context,
  request: RequestId,
  principal: string | undefined,
  machines: readonly MachineID[],
): void {
  const problem = checkMode(ctx, machines, 'DRAINING');
  if (problem !== undefined) return reply(ctx, request, 400, problem);
  if (!ctx.state.options.authorize({ action: 'START_MAINTENANCE', principal })) {
    return reply(ctx, request, 403, 'not authorized to start maintenance');
  }
  propose(ctx, { kind: 'startMaintenance', machines }, { kind: 'maintenanceStarted', machines, request });
}

function checkMode(ctx: Context, machines: readonly MachineID[], mode: 'DRAINING' | 'DOWN'): Problem {
  const known = ctx.state.registrar.projected.machines;
  return firstOf(
    () => (machines.length === 0 ? 'machines: expected at least one machine' : undefined),
    () => checkMachines('machines', machines),
    () =>
      firstAmong(machines, (id) => {
        const machine = known.get(machineKey(id));
        if (machine === undefined) return `machines: ${machineText(id)} is not in the maintenance schedule`;
        return machine.mode === mode
          ? undefined
          : `machines: expected ${machineText(id)} to be ${mode}, it is ${machine.mode}`;
      }),
  );
}

export function maintenanceStarted(ctx: Context, machines: readonly MachineID[], request: RequestId): void {
  for (const agent of agentsOn(ctx, machines)) shutDownForMaintenance(ctx, agent);
  reply(ctx, request, 200);
}

export function stopMaintenance(
  ctx: Context,
  request: RequestId,
  principal: string | undefined,
  machines: readonly MachineID[],
): void {
  const problem = checkMode(ctx, machines, 'DOWN');
  if (problem !== undefined) return reply(ctx, request, 400, problem);
  if (!ctx.state.options.authorize({ action: 'STOP_MAINTENANCE', principal })) {
    return reply(ctx, request, 403, 'not authorized to stop maintenance');
  }
  propose(ctx, { kind: 'stopMaintenance', machines }, { kind: 'maintenanceStopped', machines, request });
}

export function maintenanceStopped(ctx: Context, machines: readonly MachineID[], request: RequestId): void {
  for (const agent of agentsOn(ctx, machines)) ctx.state.allocator.updateUnavailability(agent.id, undefined);
  reply(ctx, request, 200);
}
