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

test('a master with flags for one of several masters refuses to start, because it would lead beside the others', () => {
  for (const flag of ['--zk=zk://a:2181/mesos', '--master_detector=x', '--master_contender=x']) {
    assert.match(errorOf(flag), /^Flag --\w+: Several masters are not supported yet\. Start one master without this/);
  }
  assert.match(errorOf('--quorum=2'), /^Flag --quorum: expected 1, as several masters are not supported yet, got "2"/);
  assert.equal(errorOf('--quorum=1'), '');
});
