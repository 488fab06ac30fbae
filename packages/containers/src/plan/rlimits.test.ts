import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RLimitInfoRLimit } from '@meseta/wire';
import { limits } from '../testing/plans.js';
import { parseLimits, processLimits } from './rlimits.js';

test('limits are numbers of getrlimit(2), unlimited where the spec gives none', () => {
  const wanted: RLimitInfoRLimit[] = [{ type: 'RLMT_NOFILE', soft: 10, hard: 20 }, { type: 'RLMT_CORE' }];
  assert.deepEqual(processLimits(wanted, limits), {
    ok: true,
    value: [
      { resource: 7, soft: 10, hard: 20 },
      { resource: 4, soft: undefined, hard: undefined },
    ],
  });
  assert.deepEqual(processLimits([], limits), { ok: true, value: [] });
  const listed = parseLimits(
    'Limit  Soft Limit  Hard Limit  Units\nMax open files            1024   unlimited   files\n',
  );
  assert.deepEqual(listed.get('Max open files'), { soft: 1024, hard: Infinity });
});
