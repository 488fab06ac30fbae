// cgroups/blkio: measures what a container reads from and writes to block devices (Mesos: docs/isolators/cgroups-blkio.md). It
// limits nothing. The statistics `cfq` and `cfq_recursive` are of a scheduler that Linux has not had since 5.0.
import type { CgroupInfoBlkioOperation, CgroupInfoBlkioThrottlingStatistics, CgroupInfoBlkioValue } from '@meseta/wire';
import { parseNumber } from '../cgroups/parse.js';
import { type CgroupsPorts, createCgroupIsolator, readControl } from './cgroups-isolator.js';
import type { Isolator } from './isolator.js';

type Values = readonly CgroupInfoBlkioValue[];

const OPERATIONS: Readonly<Record<string, CgroupInfoBlkioOperation>> = {
  Total: 'TOTAL',
  Read: 'READ',
  Write: 'WRITE',
  Sync: 'SYNC',
  Async: 'ASYNC',
  Discard: 'DISCARD',
};

const TOTAL_KEY = '';

/** `MAJOR:MINOR OPERATION NUMBER` a line, and `Total NUMBER` for all devices, which has no key here. */
function parseOperations(text: string | undefined): ReadonlyMap<string, Values> {
  const devices = new Map<string, CgroupInfoBlkioValue[]>();
  for (const line of (text ?? '').split('\n')) {
    const words = line.split(' ');
    const [device = '', operation = '', number] = words.length === 2 ? [TOTAL_KEY, ...words] : words;
    const op = OPERATIONS[operation];
    const value = parseNumber(number);
    if (op === undefined || value === undefined) continue;
    const values = devices.get(device);
    if (values === undefined) devices.set(device, [{ op, value }]);
    else values.push({ op, value });
  }
  return devices;
}

function statisticsOf(key: string, serviced: Values, bytes: Values): CgroupInfoBlkioThrottlingStatistics {
  const [major, minor] = key.split(':').map(Number);
  const device = major !== undefined && minor !== undefined ? { major_number: major, minor_number: minor } : undefined;
  return { ...(device === undefined ? {} : { device }), io_serviced: serviced, io_service_bytes: bytes };
}

/** The statistics in `blkio.throttle.io_serviced` and `blkio.throttle.io_service_bytes`. The last one is the total of all devices. */
export function throttlingOfVersion1(
  serviced: string | undefined,
  bytes: string | undefined,
): readonly CgroupInfoBlkioThrottlingStatistics[] {
  const [servicedOf, bytesOf] = [parseOperations(serviced), parseOperations(bytes)];
  const keys = [...new Set([...servicedOf.keys(), ...bytesOf.keys()])].sort(
    (a, b) => Number(a === TOTAL_KEY) - Number(b === TOTAL_KEY),
  );
  return keys.map((key) => statisticsOf(key, servicedOf.get(key) ?? [], bytesOf.get(key) ?? []));
}

/** The statistics in `io.stat`: `MAJOR:MINOR rbytes=N wbytes=N rios=N wios=N dbytes=N dios=N` a line. */
export function throttlingOfVersion2(text: string | undefined): readonly CgroupInfoBlkioThrottlingStatistics[] {
  const all = { serviced: 0, bytes: 0 };
  const devices = (text ?? '').split('\n').flatMap((line) => {
    const [device = '', ...words] = line.split(' ');
    const pairs = words.filter((word) => word.includes('='));
    if (!/^\d+:\d+$/.test(device) || pairs.length === 0) return [];
    const values = new Map(pairs.map((pair) => pair.split('=') as [string, string]));
    const of = (suffix: string): Values => {
      const [read = 0, write = 0, discard = 0] = ['r', 'w', 'd'].map(
        (kind) => parseNumber(values.get(kind + suffix)) ?? 0,
      );
      const total = read + write + discard;
      return [
        { op: 'READ', value: read },
        { op: 'WRITE', value: write },
        { op: 'DISCARD', value: discard },
        { op: 'TOTAL', value: total },
      ];
    };
    const [serviced, bytes] = [of('ios'), of('bytes')];
    all.serviced += serviced.at(-1)?.value ?? 0;
    all.bytes += bytes.at(-1)?.value ?? 0;
    return [statisticsOf(device, serviced, bytes)];
  });
  const totals = (value: number): Values => [{ op: 'TOTAL', value }];
  return [...devices, statisticsOf(TOTAL_KEY, totals(all.serviced), totals(all.bytes))];
}

export function createCgroupsBlkio(ports: CgroupsPorts): Isolator {
  const { files } = ports;
  return createCgroupIsolator(ports, {
    name: 'cgroups/blkio',
    controllers: { 1: ['blkio'], 2: ['io'] },
    usage(cgroup) {
      const read = (file: string): string | undefined => readControl(files, cgroup, 'blkio', `blkio.throttle.${file}`);
      const throttling =
        cgroup.version === 1
          ? throttlingOfVersion1(read('io_serviced'), read('io_service_bytes'))
          : throttlingOfVersion2(readControl(files, cgroup, 'io', 'io.stat'));
      return { blkio_statistics: { throttling } };
    },
  }).isolator;
}
