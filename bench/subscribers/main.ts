// Subscribers of the operator API's events at a thousand events per second, some of them stalled: they never read. Measured
// are the delay of events at the readers, with the delay without stalled subscribers as the baseline; the master's CPU per
// event and subscriber; and, in a flood of large events, the memory per stalled subscriber until its stream is closed.

import type { Daemon } from '@meseta/cli/testing/daemons';
import { pause, until } from '@meseta/platform/testing/until';
import { benchmark, type Scale } from '../lib/benchmark.js';
import { createBenchDaemons } from '../lib/daemons.js';
import { type Emulator, startEmulator } from '../lib/emulator.js';
import type { Measured } from '../lib/figures.js';
import { cpuOf, memoryOf } from '../lib/processes.js';
import type { Received, SubscribersOrder } from '../lib/subscribers-process.js';
import { runTasks } from '../lib/task-runner.js';
import { startWorker, type Worker } from '../lib/workers.js';

const AGENTS = 100;
const TASKS = 1000;
const EVENTS_PER_SECOND = 1000;
/** Large enough to fill the ring (16 MiB) and the kernel's buffers several times during the flood. */
const LARGE_EVENT_BYTES = 16_384;
const FLOOD_MS = 4000;
const READERS_IN_FLOOD = 10;

interface Parts {
  readonly master: Daemon;
  readonly emulator: Emulator;
  readonly subscribers: Worker<SubscribersOrder, Received>;
}

interface Measurement extends Received {
  /** The master's. */
  readonly cpuSeconds: number;
}

/** Sends status updates for a while; all subscribers receive them. */
async function sendAndMeasure({ master, emulator, subscribers }: Parts, forMs: number): Promise<Measurement> {
  await subscribers.ask({ kind: 'begin' });
  const cpu = cpuOf(master.pid);
  await emulator.sendUpdates(EVENTS_PER_SECOND, forMs, 'as before');
  await pause(500);
  const cpuSeconds = cpuOf(master.pid) - cpu;
  return { ...(await subscribers.ask({ kind: 'report' })), cpuSeconds };
}

async function cutStreams({ address }: Daemon): Promise<number> {
  const metrics = (await (await fetch(`http://${address}/metrics/snapshot`)).json()) as Record<string, number>;
  return metrics['meseta/cut_operator_streams'] ?? 0;
}

/** Sends large events to all subscribers; returns the master's highest memory meanwhile, in MB. */
async function flood({ master, emulator }: Parts): Promise<number> {
  let most = 0;
  const sample = (): void => {
    most = Math.max(most, memoryOf(master.pid).rss / 1024);
  };
  const sampling = setInterval(sample, 100);
  await emulator.sendUpdates(EVENTS_PER_SECOND, FLOOD_MS, 'x'.repeat(LARGE_EVENT_BYTES));
  clearInterval(sampling);
  return most;
}

/** Floods the stalled subscribers until their streams are closed. Most readers are closed before, as their memory would count. */
async function floodStalled(parts: Parts, stalled: number, withoutMB: number): Promise<readonly Measured[]> {
  const { master, subscribers } = parts;
  await subscribers.ask({ kind: 'keep', readers: READERS_IN_FLOOD });
  const withMB = await flood(parts);
  await until('the cut', async () => (await cutStreams(master)) >= stalled, 10_000).catch(() => {});
  const cut = await cutStreams(master);
  const { ended } = await subscribers.ask({ kind: 'report' });
  return [
    {
      name: 'stalled subscribers whose stream is closed',
      unit: 'streams',
      value: cut,
      baseline: { name: 'stalled subscribers', value: stalled },
      target: { of: 'ratio', is: 'at least', limit: 1 },
    },
    {
      name: 'other subscribers whose stream is closed',
      unit: 'streams',
      value: ended,
      target: { of: 'value', is: 'at most', limit: 0 },
    },
    {
      name: 'memory per stalled subscriber in a flood of large events',
      unit: 'MB',
      value: Math.max(0, withMB - withoutMB) / stalled,
      target: { of: 'value', is: 'at most', limit: 16 },
    },
  ];
}

async function measure(parts: Parts, readers: number, stalled: number, forMs: number): Promise<readonly Measured[]> {
  const { master, subscribers } = parts;
  const { address } = master;
  await subscribers.ask({ kind: 'subscribe', address, readers: READERS_IN_FLOOD, stalled: 0 });
  const withoutMB = await flood(parts);
  await subscribers.ask({ kind: 'keep', readers: 0 });
  await sendAndMeasure(parts, forMs / 2);
  const bare = await sendAndMeasure(parts, forMs);
  const before = memoryOf(master.pid).rss;
  await subscribers.ask({ kind: 'subscribe', address, readers, stalled: 0 });
  await sendAndMeasure(parts, forMs / 2);
  const healthy = await sendAndMeasure(parts, forMs);
  await subscribers.ask({ kind: 'subscribe', address, readers: 0, stalled });
  await sendAndMeasure(parts, forMs / 2);
  const together = await sendAndMeasure(parts, forMs);
  const grown = (memoryOf(master.pid).rss - before) / 1024;
  const delayOf = (of: Received, name: 'p50' | 'p99'): Measured => ({
    name: `delay of events ${name}`,
    unit: 'ms',
    value: of[name],
    baseline: { name: 'without stalled subscribers', value: healthy[name] },
  });
  const deliveries = (forMs / 1000) * EVENTS_PER_SECOND * readers;
  return [
    { name: `events to each of ${readers} subscribers`, unit: '/s', value: (together.events / forMs) * 1000 },
    delayOf(together, 'p50'),
    { ...delayOf(together, 'p99'), target: { of: 'ratio', is: 'at most', limit: 2 } },
    {
      name: 'master CPU per event and subscriber',
      unit: 'us',
      value: ((together.cpuSeconds - bare.cpuSeconds) / deliveries) * 1e6,
    },
    {
      name: `memory growth with ${stalled} stalled subscribers`,
      unit: 'MB',
      value: grown,
      target: { of: 'value', is: 'at most', limit: 16 * (stalled + 1) },
    },
    ...(await floodStalled(parts, stalled, withoutMB)),
  ];
}

async function run({ full }: Scale): Promise<readonly Measured[]> {
  const [readers, stalled, forMs] = full ? [990, 10, 10_000] : [95, 5, 4000];
  const daemons = createBenchDaemons();
  const subscribers = startWorker<SubscribersOrder, Received>('subscribers');
  let emulator: Emulator | undefined;
  try {
    const master = await daemons.master(['--registry=in_memory', '--max_operator_event_stream_subscribers=2000']);
    emulator = await startEmulator({ master: master.address, agents: AGENTS });
    await emulator.register();
    const tasks = await runTasks({
      master: master.address,
      name: 'service',
      count: TASKS,
      command: 'sleep 3600',
      resources: { cpus: 0.1, mem: 32 },
      goal: 'running',
      perOffer: TASKS / AGENTS,
      connections: 8,
    });
    await tasks.done;
    const figures = await measure({ master, emulator, subscribers }, readers, stalled, forMs);
    tasks.scheduler.close();
    return figures;
  } finally {
    await subscribers.stop();
    await emulator?.stop();
    await daemons.stop();
  }
}

await benchmark('subscribers', run);
