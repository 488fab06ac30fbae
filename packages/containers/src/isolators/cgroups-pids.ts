// cgroups/pids: limits how many processes and threads a container has at a time, so that one that forks without end does not
// take those of the whole machine. In Mesos the isolator sets no limit.
import { type Files, ok } from '@meseta/base';
import { parseNumber } from '../cgroups/parse.js';
import { type CgroupsPorts, createCgroupIsolator, writeSettings } from './cgroups-isolator.js';
import type { Isolator } from './isolator.js';

/** As systemd limits a service (systemd-system.conf(5), DefaultTasksMax). */
const SHARE_OF_MACHINE = 0.15;

function defaultLimit(files: Pick<Files, 'readTextNow'>): number | undefined {
  const limitOf = (name: string): number => parseNumber(files.readTextNow(`/proc/sys/kernel/${name}`)) ?? Infinity;
  const smallest = Math.min(limitOf('pid_max'), limitOf('threads-max'));
  return smallest === Infinity ? undefined : Math.floor(smallest * SHARE_OF_MACHINE);
}

export function createCgroupsPids(ports: CgroupsPorts): Isolator {
  const limit = ports.pidsLimit ?? defaultLimit(ports.files);
  return createCgroupIsolator(ports, {
    name: 'cgroups/pids',
    controllers: { 1: ['pids'], 2: ['pids'] },
    async setLimits(cgroup) {
      if (limit === undefined) return ok(undefined);
      return writeSettings(ports.files, cgroup, [['pids', 'pids.max', limit]]);
    },
  }).isolator;
}
