import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFlags } from '@meseta/platform/flags';
import { masterFlags } from './flags.js';

const errorOf = (...argv: string[]): string => {
  const readFile = (): never => {
    throw new Error('no file');
  };
  const flags = parseFlags(masterFlags, { argv: [...argv, '--work_dir=/w'], env: {}, prefix: 'MESOS_', readFile });
  return flags.ok ? '' : flags.error.message;
};

test('a master with flags for a contender or detector that it cannot load refuses to start, because it would lead beside the others', () => {
  for (const flag of ['--master_detector=x', '--master_contender=x']) {
    assert.match(errorOf(flag), /^Flag --\w+: Modules cannot be loaded\. Give --zk or --coordinator/);
  }
  for (const quorum of ['0', '-1', 'two', '1000']) {
    assert.match(errorOf(`--quorum=${quorum}`), /^Flag --quorum: expected a number from 1 to 999/);
  }
  assert.equal(errorOf('--quorum=2'), '');
});
