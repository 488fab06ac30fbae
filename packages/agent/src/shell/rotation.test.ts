import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rotationLimits } from './rotation.js';

test('the limits of stdout and stderr come from --container_logger and the parameters of its module', () => {
  const logger = 'org_apache_mesos_LogrotateContainerLogger';
  const modules = (value: string) =>
    JSON.stringify({ libraries: [{ modules: [{ name: logger, parameters: [{ key: 'max_stdout_size', value }] }] }] });
  assert.deepEqual(rotationLimits(undefined, undefined), { ok: true, value: undefined });
  assert.deepEqual(rotationLimits(logger, undefined), { ok: true, value: { maxBytes: 10_485_760, keptFiles: 9 } });
  assert.deepEqual(rotationLimits(logger, modules('2MB')), { ok: true, value: { maxBytes: 2_097_152, keptFiles: 9 } });
  for (const bad of [
    rotationLimits('other', undefined),
    rotationLimits(logger, modules('2')),
    rotationLimits(logger, '{'),
  ]) {
    assert.equal(bad.ok, false);
  }
});
