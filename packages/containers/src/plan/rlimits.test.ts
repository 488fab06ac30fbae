import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import type { RLimitInfoRLimit } from '@meseta/wire';
import { limits, tools } from '../testing/plans.js';
import { parseLimits, rlimitArgv } from './rlimits.js';

test('limits are set by prlimit in bytes, by a shell in the units of its ulimit', () => {
  const wanted: RLimitInfoRLimit[] = [{ type: 'RLMT_NOFILE', soft: 10, hard: 20 }];
  const byTool = rlimitArgv(wanted, limits, { ...tools, prlimit: '/bin/prlimit' });
  assert.deepEqual(byTool, { ok: true, value: ['/bin/prlimit', '--nofile=10:20', '--'] });
  const byShell = rlimitArgv([...wanted, { type: 'RLMT_STACK', soft: 1048576, hard: 2097152 }], limits, tools);
  assert.ok(byShell.ok);
  const [program = '', ...words] = byShell.value;
  const shown = execFileSync(program, [...words, 'sh', '-c', 'ulimit -Sn; ulimit -Hn; ulimit -Ss; ulimit -Hs']);
  assert.equal(shown.toString(), '10\n20\n1024\n2048\n');
  assert.deepEqual(rlimitArgv([], limits, tools), { ok: true, value: [] });
  const listed = parseLimits(
    'Limit  Soft Limit  Hard Limit  Units\nMax open files            1024   unlimited   files\n',
  );
  assert.deepEqual(listed.get('Max open files'), { soft: 1024, hard: Infinity });
});
