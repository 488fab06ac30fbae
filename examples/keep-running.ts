// Holds a number of instances of a command up: one that ends, or whose agent is lost, is replaced.
// Kill it and start it again: it takes its framework and its running tasks over (the id is kept in a file).
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
const resources = { cpus: 0.1, mem: 32 };
const frameworkId = existsSync(values.state) ? readFileSync(values.state, 'utf8').trim() : undefined;

const scheduler = connectScheduler({
  master: values.master,
  framework: { name: 'keep-running example', failover_timeout: 3600 },
  frameworkId,
});

/** The tasks that are up, or on their way; whatever ends leaves it. */
const up = new Set<string>();
let suppressed = false;

for await (const event of scheduler) {
  if (event.type === 'SUBSCRIBED') {
    writeFileSync(values.state, scheduler.frameworkId ?? '');
    // What still runs from before is told as updates, in the implicit reconciliation (Mesos: docs/reconciliation).
    await scheduler.call('RECONCILE', { reconcile: {} });
    suppressed = false;
  }
  for (const offer of event.offers?.offers ?? []) await place(offer);
  if (event.update) await follow(event.update.status);
}

async function place(offer: Offer): Promise<void> {
  const missing = Math.max(0, Math.min(fits(offer, resources), instances - up.size));
  const tasks = Array.from({ length: missing }, () => {
    const id = `instance-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
    up.add(id);
    return commandTask(offer, { id, command: values.command, resources });
  });
  await scheduler.call('ACCEPT', { accept: { offer_ids: [offer.id], operations: [launch(tasks)] } });
  if (up.size >= instances && !suppressed) {
    suppressed = true;
    await scheduler.call('SUPPRESS');
  }
}

async function follow(status: TaskStatus): Promise<void> {
  const id = status.task_id.value;
  // An unreachable agent may come back with the task; a framework that can't wait counts it as gone.
  if (isTerminal(status.state) || status.state === 'TASK_UNREACHABLE') up.delete(id);
  else up.add(id);
  console.log(`${id}: ${status.state} (${up.size} of ${instances} up)`);
  if (up.size < instances && suppressed) {
    suppressed = false;
    await scheduler.call('REVIVE');
  }
}
