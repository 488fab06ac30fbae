// Runs a command line many times over the cluster and prints each one's end.
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
const resources = { cpus: 0.1, mem: 32 };
// Nothing to come back to: without a failover timeout the tasks end with this process.
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
    // An ACCEPT without operations is a DECLINE: what isn't used goes back for five minutes, so others get it.
    await scheduler.call('ACCEPT', {
      accept: { offer_ids: [offer.id], operations: [launch(tasks)], filters: { refuse_seconds: 300 } },
    });
  }
  // Everything is placed: no more offers, please.
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
