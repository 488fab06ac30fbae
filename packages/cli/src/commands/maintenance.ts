// `meseta maintenance`: the schedule of maintenance windows, and taking machines down and up (Mesos: docs/maintenance.md).
import type { MachineID, MaintenanceWindow } from '@meseta/sdk';
import { type Cluster, clusterOf, printRows, resultOf } from '../cluster.js';
import { CommandError, clusterOptions, defineCommand, EXIT, parseDurationOption } from '../command.js';
import type { Group } from '../dispatch.js';
import { defineListing } from '../listing.js';
import { machineNamed, machineText } from '../names.js';
import { printText } from '../output.js';
import { formatSpan } from '../table.js';

const NAMES =
  'MACHINE is HOST, HOST/IP or an agent on the machine, named by its id, the end of its id or its hostname.';

const windowsOf = async (cluster: Cluster): Promise<readonly MaintenanceWindow[]> =>
  (await resultOf(cluster, cluster.master.call('GET_MAINTENANCE_SCHEDULE'))).schedule.windows ?? [];

const updateSchedule = (cluster: Cluster, windows: readonly MaintenanceWindow[]): Promise<unknown> =>
  resultOf(cluster, cluster.master.call('UPDATE_MAINTENANCE_SCHEDULE', { schedule: { windows } }));

interface MachineRow {
  readonly machine: string;
  readonly mode: string;
  readonly inverseOffers: string;
}

const statusColumns = [
  { title: 'machine', value: ({ machine }: MachineRow) => machine },
  { title: 'mode', value: ({ mode }: MachineRow) => mode },
  { title: 'inverse offers', value: ({ inverseOffers }: MachineRow) => inverseOffers },
];

const status = defineListing('Lists the machines that are draining or down.', statusColumns, async (cluster) => {
  const { status: shown } = await resultOf(cluster, cluster.master.call('GET_MAINTENANCE_STATUS'));
  const rows: readonly MachineRow[] = [
    ...(shown.draining_machines ?? []).map(({ id, statuses = [] }) => ({
      machine: machineText(id),
      mode: 'draining',
      inverseOffers: statuses.map((one) => `${one.framework_id.value}: ${one.status}`).join(', ') || '-',
    })),
    ...(shown.down_machines ?? []).map((id) => ({ machine: machineText(id), mode: 'down', inverseOffers: '-' })),
  ];
  return { document: shown, rows };
});

const msOf = (nanoseconds: bigint | number): number => Number(BigInt(nanoseconds) / 1_000_000n);

const windowColumns = [
  {
    title: 'machines',
    value: ({ machine_ids = [] }: MaintenanceWindow) => machine_ids.map(machineText).join(', '),
  },
  {
    title: 'start',
    value: ({ unavailability }: MaintenanceWindow) => new Date(msOf(unavailability.start.nanoseconds)).toISOString(),
  },
  {
    title: 'duration',
    value: ({ unavailability: { duration } }: MaintenanceWindow) =>
      duration === undefined ? 'unlimited' : formatSpan(Number(duration.nanoseconds) / 1e6),
  },
];

const schedule = defineCommand({
  summary: 'Shows the maintenance schedule, or adds a window for machines.',
  positionals: '[MACHINE...]',
  about: `Shows the maintenance schedule, or adds a window for machines. Frameworks are asked to leave them before it starts.
${NAMES}`,
  options: {
    ...clusterOptions,
    start: { type: 'string', value: 'TIME', help: 'the start: 2030-01-31T22:00Z, or 2hrs from now (default: now)' },
    duration: { type: 'string', value: 'DURATION', help: 'the length, such as 30mins or 2hrs (default: unlimited)' },
  },
  async run(values, names, path) {
    const cluster = clusterOf(values);
    const windows = await windowsOf(cluster);
    if (names.length === 0) {
      printRows(values.json, { windows }, windowColumns, windows);
      return EXIT.done;
    }
    const startMs = startOf(path, values.start);
    const durationMs =
      values.duration === undefined ? undefined : parseDurationOption(path, 'duration', values.duration);
    const added: MaintenanceWindow = {
      machine_ids: await machinesNamed(cluster, names),
      unavailability: {
        start: { nanoseconds: BigInt(Math.round(startMs)) * 1_000_000n },
        ...(durationMs !== undefined && { duration: { nanoseconds: durationMs * 1e6 } }),
      },
    };
    await updateSchedule(cluster, [...windows, added]);
    printRows(values.json, added, windowColumns, [added]);
    return EXIT.done;
  },
});

function startOf(path: string, text: string | undefined): number {
  if (text === undefined) return Date.now();
  const time = Date.parse(text);
  return /^\d+(\.\d+)?[a-z]+$/.test(text) || Number.isNaN(time)
    ? Date.now() + parseDurationOption(path, 'start', text)
    : time;
}

async function machinesNamed(cluster: Cluster, names: readonly string[]): Promise<readonly MachineID[]> {
  const found: MachineID[] = [];
  for (const name of names) found.push(await machineNamed(cluster, name));
  return found;
}

const cancel = defineCommand({
  summary: 'Removes machines from the maintenance schedule.',
  positionals: 'MACHINE...',
  about: `Removes machines from the maintenance schedule.
${NAMES}`,
  options: clusterOptions,
  async run(values, names) {
    const cluster = clusterOf(values);
    const windows = await windowsOf(cluster);
    const known = new Set(windows.flatMap(({ machine_ids = [] }) => machine_ids.map(machineText)));
    const cancelled = new Set((await machinesNamed(cluster, names)).map(machineText));
    const missing = [...cancelled].find((machine) => !known.has(machine));
    if (missing !== undefined) throw new CommandError(`${missing} is in no window of the maintenance schedule`);
    const remaining = windows
      .map((window) => ({
        ...window,
        machine_ids: (window.machine_ids ?? []).filter((machine) => !cancelled.has(machineText(machine))),
      }))
      .filter(({ machine_ids }) => machine_ids.length > 0);
    await updateSchedule(cluster, remaining);
    if (!values.json) printText(`${[...cancelled].join(', ')}: no longer scheduled`);
    return EXIT.done;
  },
});

const down = defineCommand({
  summary: 'Starts the maintenance of scheduled machines: their agents end and their tasks are lost.',
  positionals: 'MACHINE...',
  about: `Starts the maintenance of scheduled machines: their agents end and their tasks are lost.
${NAMES}`,
  options: clusterOptions,
  async run(values, names) {
    const cluster = clusterOf(values);
    const ids = await machinesNamed(cluster, names);
    await resultOf(cluster, cluster.master.call('START_MAINTENANCE', { machines: ids }));
    if (!values.json) printText(`${ids.map(machineText).join(', ')}: down`);
    return EXIT.done;
  },
});

const up = defineCommand({
  summary: 'Ends the maintenance of machines: their agents may register again.',
  positionals: 'MACHINE...',
  about: `Ends the maintenance of machines: their agents may register again. MACHINE is HOST or HOST/IP.`,
  options: clusterOptions,
  async run(values, names) {
    const cluster = clusterOf(values);
    const { status: shown } = await resultOf(cluster, cluster.master.call('GET_MAINTENANCE_STATUS'));
    const ids = names.map((name) => {
      const found = (shown.down_machines ?? []).find((id) => machineText(id) === name || id.hostname === name);
      if (found === undefined) throw new CommandError(`${name} is not down`);
      return found;
    });
    await resultOf(cluster, cluster.master.call('STOP_MAINTENANCE', { machines: ids }));
    if (!values.json) printText(`${ids.map(machineText).join(', ')}: up`);
    return EXIT.done;
  },
});

export const maintenance: Group = {
  summary: 'Schedules and performs the maintenance of machines.',
  verbs: { status, schedule, cancel, down, up },
};
