import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Demand, demandOf } from '../cgroups/demand.js';
import { limitationOf, memorySettings, memoryUsage, oomScoreOf } from './cgroups-mem.js';
import { countPressure, NO_PRESSURE } from './memory-pressure.js';

const MB = 2 ** 20;
const demand = (request: number, limit?: number): Demand => ({
  cpus: 1,
  memoryBytes: request * MB,
  hasRevocableCpus: false,
  gpus: 0,
  cpusLimit: undefined,
  memoryLimitBytes: limit === undefined ? undefined : limit * MB,
});
const shown = (wanted: Demand, set: number | undefined, version: 1 | 2, limitSwap = false): string =>
  memorySettings(wanted, { hardLimit: set === undefined ? undefined : set * MB, limitSwap }, version)
    .map(
      ([, file, value]) =>
        `${file.replace('memory.', '')} ${typeof value === 'number' && value > MB ? `${value / MB}M` : value}`,
    )
    .join('; ');

test('CGROUPS-MEM-1: the request is the soft limit, the limit or else the request is the hard limit, each at least 32 MB', () => {
  const table: readonly [Demand, version1: string, version2: string][] = [
    [demand(96), 'soft_limit_in_bytes 96M; limit_in_bytes 96M', 'low 96M; max 96M'],
    [demand(1), 'soft_limit_in_bytes 32M; limit_in_bytes 32M', 'low 32M; max 32M'],
    [demand(64, 544), 'soft_limit_in_bytes 64M; limit_in_bytes 544M', 'low 64M; max 544M'],
    [demand(64, Infinity), 'soft_limit_in_bytes 64M; limit_in_bytes -1', 'low 64M; max max'],
    [demand(0), '', ''],
  ];
  for (const [wanted, version1, version2] of table) {
    assert.equal(shown(wanted, undefined, 1), version1);
    assert.equal(shown(wanted, undefined, 2), version2);
  }
});

test('CGROUPS-MEM-2: a hard limit that is set is raised, and never lowered', () => {
  assert.equal(shown(demand(128), 96, 1), 'soft_limit_in_bytes 128M; limit_in_bytes 128M');
  assert.equal(shown(demand(64), 96, 1), 'soft_limit_in_bytes 64M');
  assert.equal(shown(demand(64, Infinity), 96, 1), 'soft_limit_in_bytes 64M; limit_in_bytes -1');
  assert.equal(shown(demand(128), Infinity, 1), 'soft_limit_in_bytes 128M');
  assert.equal(shown(demand(128), 96, 2), 'low 128M; max 128M');
  assert.equal(shown(demand(64), 96, 2), 'low 64M');
});

test('with --cgroups_limit_swap the limit with swap is never below the other one', () => {
  const [first, raised] = [undefined, 64].map((set) => shown(demand(96), set, 1, true));
  assert.equal(first, 'soft_limit_in_bytes 96M; limit_in_bytes 96M; memsw.limit_in_bytes 96M');
  assert.equal(raised, 'soft_limit_in_bytes 96M; memsw.limit_in_bytes 96M; limit_in_bytes 96M');
  assert.equal(shown(demand(96), undefined, 2, true), 'low 96M; swap.max 0; max 96M');
});

test('only a container with a limit above its request gets an OOM score, which is higher the smaller its request', () => {
  assert.equal(oomScoreOf(demand(512), 1024 * MB), undefined);
  assert.equal(oomScoreOf(demand(512, 512), 1024 * MB), undefined);
  assert.equal(oomScoreOf(demand(512, 600), 1024 * MB), 500);
  assert.equal(oomScoreOf(demand(128, Infinity), 1024 * MB), 875);
  assert.equal(oomScoreOf(demand(2048, 4096), 1024 * MB), 1);
});

/** Control files in the kernel's formats (admin-guide/cgroup-v1/memory, admin-guide/cgroup-v2). */
const files1: Readonly<Record<string, string>> = {
  'memory.usage_in_bytes': '33554432\n',
  'memory.limit_in_bytes': '67108864\n',
  'memory.soft_limit_in_bytes': '9223372036854771712\n',
  'memory.max_usage_in_bytes': '67108864\n',
  'memory.memsw.usage_in_bytes': '40000000\n',
  'memory.kmem.usage_in_bytes': '1000\n',
  'memory.kmem.tcp.usage_in_bytes': '0\n',
  'memory.stat':
    'cache 1\nrss 2\ntotal_cache 4096\ntotal_rss 8192\ntotal_mapped_file 512\ntotal_swap 16\ntotal_unevictable 0\n',
};
const files2: Readonly<Record<string, string>> = {
  'memory.current': '33554432\n',
  'memory.max': 'max\n',
  'memory.low': '67108864\n',
  'memory.peak': '50331648\n',
  'memory.swap.current': '16\n',
  'memory.stat': 'anon 8192\nfile 4096\nkernel 1000\nsock 0\nfile_mapped 512\nunevictable 0\n',
};

test('the memory statistics of both versions have Mesos names; a limit that is none is left out', () => {
  const common = {
    mem_total_bytes: 33554432,
    mem_file_bytes: 4096,
    mem_cache_bytes: 4096,
    mem_anon_bytes: 8192,
    mem_rss_bytes: 8192,
    mem_mapped_file_bytes: 512,
    mem_swap_bytes: 16,
    mem_unevictable_bytes: 0,
    mem_kmem_usage_bytes: 1000,
    mem_kmem_tcp_usage_bytes: 0,
  };
  const withSwap = { mem_limit_bytes: 67108864, mem_total_memsw_bytes: 40000000 };
  assert.deepEqual(
    memoryUsage(1, (file) => files1[file], true),
    { ...common, ...withSwap },
  );
  assert.deepEqual(
    memoryUsage(2, (file) => files2[file], false),
    { ...common, mem_soft_limit_bytes: 67108864 },
  );
  assert.deepEqual(
    memoryUsage(2, () => undefined, false),
    {},
  );
});

test('a limitation names the resource, the limit, the highest usage and the statistics', () => {
  const limited = limitationOf(1, (file) => files1[file]);
  assert.equal(limited.reason, 'REASON_CONTAINER_LIMITATION_MEMORY');
  assert.deepEqual(limited.resources, [{ name: 'mem', type: 'SCALAR', scalar: { value: 64 }, role: '*' }]);
  assert.match(
    limited.message,
    /^Memory limit exceeded: Requested: 64MB Maximum Used: 64MB\n\nMEMORY STATISTICS: \ncache 1\n/,
  );
  assert.match(limitationOf(2, (file) => files2[file]).message, /Requested: unlimited Maximum Used: 48MB/);
});

test('a sample adds one to a level of pressure and to those below it, and nothing while nothing happens', () => {
  const counts = (limitHits: number, stalledUs: number | undefined, oomKills: number): readonly number[] => {
    const last = { limitHits: 5, stalledUs: 100, oomKills: 1 };
    return Object.values(countPressure({ last, counted: NO_PRESSURE }, { limitHits, stalledUs, oomKills }));
  };
  assert.deepEqual(counts(5, 100, 1), [0, 0, 0]);
  assert.deepEqual(counts(9, 100, 1), [1, 0, 0]);
  assert.deepEqual(counts(9, undefined, 1), [1, 0, 0]);
  assert.deepEqual(counts(9, 101, 1), [1, 1, 0]);
  assert.deepEqual(counts(9, 101, 3), [1, 1, 1]);
});

test('containers that share a cgroup have the sum of their requests; one without a limit counts with its request', () => {
  const scalar = (name: string, value: number) => ({ name, type: 'SCALAR' as const, scalar: { value } });
  const shares = [
    { resources: [scalar('cpus', 0.5), scalar('mem', 64)], limits: { cpus: { value: 2 }, mem: { value: Infinity } } },
    { resources: [scalar('cpus', 0.25), scalar('mem', 32)] },
  ];
  assert.deepEqual(demandOf(shares), {
    cpus: 0.75,
    memoryBytes: 96 * MB,
    hasRevocableCpus: false,
    gpus: 0,
    cpusLimit: 2.25,
    memoryLimitBytes: Infinity,
  });
  assert.equal(demandOf([{ resources: [] }]).cpusLimit, undefined);
});
