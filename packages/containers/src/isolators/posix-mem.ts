// posix/mem: measures the resident memory of a container's processes. It limits nothing.
import { ok } from '@meseta/base';
import { sumOf } from '../processes/process-table.js';
import type { Isolator } from './isolator.js';

/** The size of a page on x86-64 and most arm64 (sysconf(_SC_PAGESIZE)). */
const PAGE_BYTES = 4096;

export const posixMem: Isolator = {
  name: 'posix/mem',
  supports: () => ok(undefined),
  usage: (_containerId, processes) => ({
    mem_rss_bytes: sumOf(processes, ({ residentPages }) => residentPages) * PAGE_BYTES,
  }),
};
