// Oversubscription with real daemons: revocable resources are offered to who asks for them, and preempted under load.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandTask, connectScheduler, isTerminal, launch } from '@meseta/sdk';
import { createTestCluster } from './testing.js';

const FIXED = 'org_apache_mesos_FixedResourceEstimator';
const LOAD = 'org_apache_mesos_LoadQoSController';
const modules = {
  libraries: [
    { modules: [{ name: FIXED, parameters: [{ key: 'resources', value: 'cpus:3' }] }] },
    { modules: [{ name: LOAD, parameters: [{ key: 'load_threshold_5min', value: '0' }] }] },
  ],
};

test('revocable resources are offered beside the others, and a task on them is preempted when the load is above the threshold', async (t) => {
  const cluster = await createTestCluster({
    agentFlags: [
      `--modules=${JSON.stringify(modules)}`,
      `--resource_estimator=${FIXED}`,
      `--qos_controller=${LOAD}`,
      '--oversubscribed_resources_interval=1secs',
    ],
  });
  const framework = {
    name: 'spare',
    capabilities: (['MULTI_ROLE', 'REVOCABLE_RESOURCES', 'PARTITION_AWARE'] as const).map((type) => ({ type })),
  };
  const scheduler = connectScheduler({ master: cluster.master, framework });
  t.after(async () => {
    scheduler.close();
    await cluster.stop();
  });
  await cluster.startMaster();
  await cluster.startAgent();
  let launched = false;
  for await (const event of scheduler) {
    for (const offer of event.offers?.offers ?? []) {
      const spare = (offer.resources ?? []).filter((it) => it.name === 'cpus' && it.revocable !== undefined);
      // A filter that has not run out holds the agent's own resources back: such an offer has the spare ones alone.
      const hasMemory = (offer.resources ?? []).some((it) => it.name === 'mem');
      if (launched || spare.length === 0 || !hasMemory) {
        await scheduler.call('DECLINE', { decline: { offer_ids: [offer.id], filters: { refuse_seconds: 0.1 } } });
        continue;
      }
      launched = true;
      assert.deepEqual(
        spare.map(({ scalar }) => scalar?.value),
        [3],
      );
      const task = commandTask(offer, { id: 'spare', command: 'sleep 1000', resources: { mem: 32 } });
      const resources = [...(task.resources ?? []), ...spare];
      await scheduler.call('ACCEPT', {
        accept: { offer_ids: [offer.id], operations: [launch([{ ...task, resources }])] },
      });
    }
    const status = event.update?.status;
    if (status === undefined || !isTerminal(status.state)) continue;
    assert.deepEqual(
      [status.state, status.source, status.reason],
      ['TASK_GONE', 'SOURCE_AGENT', 'REASON_CONTAINER_PREEMPTED'],
    );
    return;
  }
  assert.fail('the stream of events ended before the task did');
});
