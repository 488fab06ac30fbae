import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFlags } from '@meseta/platform';
import { agentFlags } from './flags.js';

test('every flag of a Mesos agent is known; an error about an unknown flag names the nearest one', () => {
  const parse = (...argv: string[]) =>
    parseFlags(agentFlags, { argv, env: { MESOS_MASTER: 'h:1' }, prefix: 'MESOS_', readFile: () => '' });
  const parsed = parse(
    '--work_dir=/w',
    '--attributes=rack:r1;size:10',
    '--executor_secret_key=k',
    '--secret_resolver=x',
  );
  assert.equal(parsed.ok && parsed.value.values.jwt_secret_key, 'k');
  assert(parsed.ok);
  assert.equal(parsed.value.values.master, 'h:1');
  assert.equal(parsed.value.values.gc_delay, 604_800_000);
  assert.deepEqual(
    parsed.value.values.attributes?.map(({ name }) => name),
    ['rack', 'size'],
  );
  assert.equal(parsed.value.warnings.length, 1);
  const wrong = parse('--work_dir=/w', '--resorces=cpus:1');
  assert(!wrong.ok);
  assert.match(wrong.error.message, /--resources/);
});
