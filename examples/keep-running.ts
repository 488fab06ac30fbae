// Keeps a number of instances of a command running: one that ends, or whose agent is lost, is replaced.
// If it is killed and started again, it takes over its framework and the tasks that run (the id is kept in a file).
//   npm run example -- keep-running --master=127.0.0.1:5050 --instances=3 --command='sleep 30'
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { commandTask, connectScheduler, fits, isTerminal, launch, type Offer, type TaskStatus } from '@meseta/sdk';

const { values } = parseArgs({
  options: {
    master: { type: 'string', default: '127.0.0.1:5050' },
    instances: { type: 'string', default: '3' },
    command: { type: 'string', default: 'sleep 30' },
    state: { type: 'string', default: 'keep-running.id' },
  },
});

const instances = Number(values.instances);
if (!Number.isSafeInteger(instances) || instances < 1) {
  console.error(`--instances: expected a whole number of at least 1, got '${values.instances}'`);
  process.exit(2);
}
const resources = { cpus: 0.1, mem: 32 };
const frameworkId = existsSync(values.state) ? readFileSync(values.state, 'utf8').trim() : undefined;

const scheduler = connectScheduler({
  master: values.master,
  framework: { name: 'keep-running example', failover_timeout: 3600 },
  frameworkId,
});

/** The ids of tasks that were launched or run, and have not ended. */
const live = new Set<string>();
let suppressed = false;

for await (const event of scheduler) {
  if (event.type === 'SUBSCRIBED') {
    writeFileSync(values.state, scheduler.frameworkId ?? '');
    // The tasks that still run are reported as updates by the implicit reconciliation (Mesos: docs/reconciliation).
    await scheduler.call('RECONCILE', { reconcile: {} });
    suppressed = false;
  }
  for (const offer of event.offers?.offers ?? []) await place(offer);
  if (event.update) await follow(event.update.status);
}

async function place(offer: Offer): Promise<void> {
  const missing = Math.max(0, Math.min(fits(offer, resources), instances - live.size));
  const tasks = Array.from({ length: missing }, () => {
    const id = `instance-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
    live.add(id);
    return commandTask(offer, { id, command: values.command, resources });
  });
  await scheduler.call('ACCEPT', { accept: { offer_ids: [offer.id], operations: [launch(tasks)] } });
  if (live.size >= instances && !suppressed) {
    suppressed = true;
    await scheduler.call('SUPPRESS');
  }
}

async function follow(status: TaskStatus): Promise<void> {
  const id = status.task_id.value;
  // An unreachable agent may come back with the task; a framework that can't wait counts it as gone.
  if (isTerminal(status.state) || status.state === 'TASK_UNREACHABLE') live.delete(id);
  else live.add(id);
  console.log(`${id}: ${status.state} (${live.size} of ${instances} up)`);
  if (live.size < instances && suppressed) {
    suppressed = false;
    await scheduler.call('REVIVE');
  }
}
