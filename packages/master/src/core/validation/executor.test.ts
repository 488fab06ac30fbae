import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecutorInfo, Resource } from '@meseta/wire';
import type { Framework } from '../state.js';
import { checkExecutor } from './executor.js';

const framework = { id: 'F' } as Partial<Framework> as Framework;
const cpus = (value: number): Resource => ({
  name: 'cpus',
  type: 'SCALAR',
  scalar: { value },
  allocation_info: { role: 'web' },
});
const custom = (more: Partial<ExecutorInfo> = {}): ExecutorInfo => ({
  executor_id: { value: 'e' },
  framework_id: { value: 'F' },
  command: { value: 'run' },
  ...more,
});
const byDefault = (more: Partial<ExecutorInfo> = {}): ExecutorInfo =>
  custom({ type: 'DEFAULT', command: undefined, ...more });
const variables = [{ name: 'A' }];

test('an executor is valid or refused with the field at fault', () => {
  const table: readonly (readonly [executor: ExecutorInfo, problem: string | undefined, running?: ExecutorInfo])[] = [
    [custom(), undefined],
    [custom({ type: 'CUSTOM' }), undefined],
    [custom({ executor_id: { value: '' } }), 'executor.executor_id: expected an id, got an empty string'],
    [custom({ framework_id: { value: 'G' } }), 'executor.framework_id: expected F, got G'],
    [custom({ framework_id: undefined }), 'executor.framework_id: expected F, got none'],
    [custom({ shutdown_grace_period: { nanoseconds: 0 } }), undefined],
    [
      custom({ shutdown_grace_period: { nanoseconds: -1 } }),
      'executor.shutdown_grace_period: expected a duration >= 0, got -1 ns',
    ],
    [custom({ type: 'UNKNOWN' }), 'executor.type: expected DEFAULT or CUSTOM, got UNKNOWN'],
    [custom({ command: undefined }), 'executor.command: is missing'],
    [byDefault(), undefined],
    [byDefault({ command: { value: 'run' } }), 'executor.command: must not be set for type DEFAULT'],
    [
      byDefault({ container: { type: 'DOCKER', docker: { image: 'i' } } }),
      'executor.container.type: expected MESOS for type DEFAULT, got DOCKER',
    ],
    [byDefault({ container: { type: 'MESOS' } }), undefined],
    [byDefault({ container: { type: 'MESOS', mesos: {} } }), undefined],
    [
      byDefault({ container: { type: 'MESOS', mesos: { image: { type: 'DOCKER', docker: { name: 'i' } } } } }),
      'executor.container.mesos.image: must not be set for type DEFAULT',
    ],
    [custom({ resources: [] }), undefined],
    [custom({ resources: [cpus(1)] }), undefined],
    [custom({ resources: [cpus(-1)] }), 'executor.resources[0].scalar.value: expected a number >= 0, got -1'],
    [
      custom({ command: { environment: { variables } } }),
      "executor.command.environment.variables[0].value: is missing for 'A'",
    ],
    [custom({ container: { type: 'DOCKER' } }), 'executor.container.docker: is missing for a container of type DOCKER'],
    [custom({ container: { type: 'MESOS', linux_info: { share_cgroups: false } } }), undefined],
    [
      custom({ container: { type: 'MESOS', linux_info: { share_cgroups: true } } }),
      'executor.container.linux_info.share_cgroups: must not be true for an executor',
    ],
    [custom({ resources: [cpus(1)] }), undefined, custom({ resources: [cpus(1)] })],
    [
      custom({ resources: [cpus(1)] }),
      "executor: an executor 'e' with another ExecutorInfo is running on the agent",
      custom({ resources: [cpus(2)] }),
    ],
    [custom({ resources: [] }), undefined, custom()],
    [
      custom({ command: { value: 'other' } }),
      "executor: an executor 'e' with another ExecutorInfo is running on the agent",
      custom(),
    ],
  ];
  for (const [executor, problem, running] of table) {
    assert.equal(checkExecutor(executor, framework, running), problem, JSON.stringify(executor));
  }
});
