// Many subscribers of the operator API's events while tasks are launched and end: how late the events reach those who
// read, when some read nothing; and what the others' silence costs.
import { type IncomingMessage, request } from 'node:http';
import { MasterEventCodec } from '@meseta/wire/codecs';
import { recordReader } from '@meseta/wire/recordio';
import { benchmark, type Scale } from '../lib/benchmark.js';
import { createDaemons, type Daemon, pause } from '../lib/daemons.js';
import { type Emulator, ENDING_COMMAND, startEmulator } from '../lib/emulator.js';
import type { Measured } from '../lib/figures.js';
import { cpuOf, memoryOf } from '../lib/processes.js';
import { quantile } from '../lib/statistics.js';
import { runTasks } from '../lib/task-runner.js';

const AGENTS = 100;
const PROTOBUF = 'application/x-protobuf';
/** A task's launch and end are three events: added, running, finished. */
const EVENTS_PER_TASK = 3;

interface Subscriber {
  readonly stream: IncomingMessage;
  bytes: number;
  ended: boolean;
}

function subscribe(master: string, reads: boolean): Promise<Subscriber> {
  const [host, port] = master.split(':') as [string, string];
  const headers = { 'Content-Type': 'application/json', Accept: PROTOBUF };
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, method: 'POST', path: '/api/v1', headers, agent: false }, (stream) => {
      const subscriber: Subscriber = { stream, bytes: 0, ended: false };
      stream.on('error', () => {});
      stream.on('close', () => {
        subscriber.ended = true;
      });
      if (reads) {
        stream.on('data', (chunk: Buffer) => {
          subscriber.bytes += chunk.length;
        });
      }
      resolve(subscriber);
    });
    asked.on('error', reject);
    asked.end('{"type":"SUBSCRIBE"}');
  });
}

/** Notes how long after its timestamp each TASK_UPDATED is read. */
function delays({ stream }: Subscriber): readonly number[] {
  const waited: number[] = [];
  const reader = recordReader(2 ** 28);
  stream.on('data', (chunk: Buffer) => {
    const records = reader.push(chunk);
    for (const record of records.ok ? records.value : []) {
      const event = MasterEventCodec.decode(record);
      const told = event.ok ? event.value.task_updated?.status.timestamp : undefined;
      if (told !== undefined) waited.push(performance.timeOrigin + performance.now() - told * 1000);
    }
  });
  return waited;
}

async function churn(master: Daemon, name: string, tasks: number): Promise<number> {
  const begun = performance.now();
  const run = await runTasks({
    master: master.address,
    name,
    count: tasks,
    command: ENDING_COMMAND,
    resources: { cpus: 0.1, mem: 32 },
    goal: 'finished',
    perOffer: Math.ceil(tasks / AGENTS / 4),
    connections: 8,
  });
  await run.done;
  run.scheduler.close();
  return (performance.now() - begun) / 1000;
}

async function run({ full }: Scale): Promise<readonly Measured[]> {
  const [readers, stalled, tasks] = full ? [990, 10, 20_000] : [95, 5, 2000];
  const daemons = createDaemons();
  let emulator: Emulator | undefined;
  try {
    const master = await daemons.master(['--registry=in_memory', '--max_operator_event_stream_subscribers=2000']);
    emulator = await startEmulator({ master: master.address, agents: AGENTS });
    await emulator.register();
    await churn(master, 'before', tasks);
    const cpu = cpuOf(master.pid);
    const bareSeconds = await churn(master, 'bare', tasks);
    const bareCpu = cpuOf(master.pid) - cpu;
    const before = memoryOf(master.pid).rss;
    const all: Subscriber[] = [];
    for (let at = 0; at < readers; at++) all.push(await subscribe(master.address, true));
    for (let at = 0; at < stalled; at++) all.push(await subscribe(master.address, false));
    const waited = delays(all[0] as Subscriber);
    await pause(500);
    const cpuBegun = cpuOf(master.pid);
    const seconds = await churn(master, 'heard', tasks);
    const cpuSpent = cpuOf(master.pid) - cpuBegun;
    await pause(1000);
    const grown = memoryOf(master.pid).rss - before;
    const lost = all.slice(0, readers).filter(({ ended }) => ended).length;
    for (const { stream } of all) stream.destroy();
    const events = tasks * EVENTS_PER_TASK;
    return [
      { name: `events to each of ${readers} subscribers`, unit: '/s', value: events / seconds },
      { name: 'late, p50', unit: 'ms', value: quantile(waited, 0.5) },
      { name: 'late, p99', unit: 'ms', value: quantile(waited, 0.99) },
      {
        name: 'master CPU an event and subscriber',
        unit: 'us',
        value: ((cpuSpent - bareCpu) / events / readers) * 1e6,
      },
      {
        name: 'time of the same tasks',
        unit: 's',
        value: seconds,
        yardstick: { name: 'nobody subscribed', value: bareSeconds },
      },
      {
        name: `memory grown, ${stalled} of them stalled`,
        unit: 'MB',
        value: grown / 1024,
        aim: { of: 'value', is: 'at most', limit: 16 * (stalled + 1) },
      },
      { name: 'readers cut off', unit: 'each', value: lost, aim: { of: 'value', is: 'at most', limit: 0 } },
    ];
  } finally {
    await emulator?.stop();
    await daemons.stop();
  }
}

await benchmark('subscribers', run);
