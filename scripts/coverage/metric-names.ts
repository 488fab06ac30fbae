// All metrics of a master and an agent with their kinds. Variable parts of a name are placeholders as in Mesos' documents:
// <ROLE_NAME>.

import { registeredWorld } from '../../packages/agent/src/core/testing.js';
import { agentMetrics } from '../../packages/agent/src/views/metrics.js';
import { gauge, type MetricKind } from '../../packages/api/src/index.js';
import { createTiming } from '../../packages/base/src/index.js';
import { createWorld, task } from '../../packages/master/src/core/testing.js';
import { createMasterTimings, metricsOf } from '../../packages/master/src/views/metrics.js';

const scalar = (value: number) => ({ value });

/** A master with one of each thing that adds a metric. */
export function masterMetricKinds(): ReadonlyMap<string, MetricKind> {
  const world = createWorld();
  const agent = world.agent('cpus:4;mem:4096;disk:1024');
  const quota_configs = [{ role: 'r', guarantees: { cpus: scalar(1) }, limits: { cpus: scalar(9) } }];
  world.operator({ type: 'UPDATE_QUOTA', update_quota: { quota_configs } });
  const scheduler = world.subscribe({ name: 'n', roles: ['r'] });
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer));
  agent.update(scheduler, 't', 'TASK_FAILED');
  world.agent('cpus:1;mem:64');
  const timings = createMasterTimings();
  for (const timing of [timings.allocationRun, timings.allocationLatency, timings.registryStore]) timing.add(1);
  timings.registryFetchMs = 1;
  const metrics = metricsOf(
    world.master.state,
    {
      timings,
      uptimeSeconds: 1,
      leading: true,
      operatorStreams: 0,
      hasLog: true,
      inputsWaiting: 0,
      renderingsShared: 0,
      process: new Map(),
      counters: new Map(),
      system: { cpus: 1, load: [0, 0, 0], memoryTotalBytes: 1, memoryFreeBytes: 1 },
    },
    true,
  );
  // Where the metrics behind one placeholder have both kinds, the first one is listed.
  return new Map([...metrics].reverse().map(([name, { kind }]) => [placeholders(name, scheduler.id), kind]));
}

function placeholders(name: string, framework: string): string {
  return name
    .replace(`master/frameworks/n/${framework}`, 'master/frameworks/<ENCODED_FRAMEWORK_NAME>/<FRAMEWORK_ID>')
    .replace(/(<FRAMEWORK_ID>\/calls\/).+/, '$1<CALL_TYPE>')
    .replace(/(<FRAMEWORK_ID>\/events\/).+/, '$1<EVENT_TYPE>')
    .replace(/(<FRAMEWORK_ID>\/operations\/).+/, '$1<OPERATION_TYPE>')
    .replace(/(<FRAMEWORK_ID>\/tasks\/\w+\/).+/, '$1<TASK_STATE>')
    .replace(/(<FRAMEWORK_ID>\/roles\/).+(\/suppressed)/, '$1<ROLE_NAME>$2')
    .replace(/^master\/operations\/[^/]+\/(?!total$)[^/]+$/, 'master/operations/<OPERATION_TYPE>/<OPERATION_STATE>')
    .replace(/^master\/operations\/[^/]+\/total$/, 'master/operations/<OPERATION_TYPE>/total')
    .replace(/^master\/operations\/(?!total$)[^/]+$/, 'master/operations/<OPERATION_STATE>')
    .replace(/^(allocator\/mesos\/(?:offer_filters\/|quota\/)?roles\/)[^/]+/, '$1<role>')
    .replace(/(<role>\/resources\/)[^/]+/, '$1<resource>')
    .replace(/^master\/task_(\w+)\/source_\w+\/reason_\w+$/, 'master/task_<state>/source_<source>/reason_<reason>');
}

export function agentMetricKinds(): ReadonlyMap<string, MetricKind> {
  const { state } = registeredWorld().core;
  const fetcher = { cacheSizeTotalBytes: 0, cacheSizeUsedBytes: 0, taskFetchesSucceeded: 0, taskFetchesFailed: 0 };
  const figures = ['cpus_total', 'load_1min', 'load_5min', 'load_15min', 'mem_free_bytes', 'mem_total_bytes'];
  const system = new Map(figures.map((name) => [`system/${name}`, gauge(0)]));
  const pulls = createTiming();
  pulls.add(1);
  const imagePulls = { mesos: pulls.values, docker: pulls.values };
  const facts = { nowWallMs: 0, recoverySeconds: 0, system, fetcher, imagePulls, process: new Map() };
  const metrics = agentMetrics(state, facts);
  return new Map([...metrics].map(([name, { kind }]) => [name, kind]));
}

/** The placeholders in Mesos' list of metrics. */
export const generalName = (name: string): string =>
  name.replace(/^master\/task_lost\/source_\w+\/reason_\w+$/, 'master/task_<state>/source_<source>/reason_<reason>');
