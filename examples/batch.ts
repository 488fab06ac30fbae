// Runs a command line as many tasks of the cluster and prints how each of them ended.
//   npm run example -- batch --master=127.0.0.1:5050 --count=20 --command='echo $RANDOM'
import { parseArgs } from 'node:util';
import { commandTask, connectScheduler, fits, isTerminal, launch } from '@meseta/sdk';

const { values } = parseArgs({
  options: {
    master: { type: 'string', default: '127.0.0.1:5050' },
    count: { type: 'string', default: '10' },
    command: { type: 'string', default: 'echo hello from $MESOS_TASK_ID' },
  },
});

const count = Number(values.count);
if (!Number.isSafeInteger(count) || count < 1) {
  console.error(`--count: expected a whole number of at least 1, got '${values.count}'`);
  process.exit(2);
}
const resources = { cpus: 0.1, mem: 32 };
// Without a failover timeout the tasks end when this process does.
const scheduler = connectScheduler({
  master: values.master,
  framework: { name: 'batch example', failover_timeout: 0 },
});

let launched = 0;
let ended = 0;
let failed = 0;
for await (const event of scheduler) {
  for (const offer of event.offers?.offers ?? []) {
    const room = Math.min(fits(offer, resources), count - launched);
    const tasks = Array.from({ length: room }, () =>
      commandTask(offer, { id: `batch-${launched++}`, command: values.command, resources }),
    );
    // ACCEPT returns what the tasks do not use. For five minutes it is offered to other frameworks only.
    await scheduler.call('ACCEPT', {
      accept: { offer_ids: [offer.id], operations: [launch(tasks)], filters: { refuse_seconds: 300 } },
    });
  }
  // All tasks are launched: more offers are of no use.
  if (event.offers && launched === count) await scheduler.call('SUPPRESS');

  const status = event.update?.status;
  if (!status || !isTerminal(status.state)) continue;
  ended++;
  if (status.state !== 'TASK_FINISHED') failed++;
  console.log(`${status.task_id.value}: ${status.state}${status.message ? ` (${status.message})` : ''}`);
  if (ended === count) break;
}
await scheduler.teardown();
process.exitCode = failed === 0 ? 0 : 1;
