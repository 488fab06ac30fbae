// Reading the whole state of a large cluster: the time of /state and GET_STATE, the first time and after a change, with
// JSON.stringify of the same document as the baseline; and the delay of /health while five clients read the state
// repeatedly. Clients, probe and agents are separate processes, and the measured answers are not parsed.

import { pause } from '@meseta/platform/testing/until';
import { benchmark, type Scale } from '../lib/benchmark.js';
import { type FullCluster, fillCluster } from '../lib/cluster.js';
import { createCountingReader } from '../lib/counting-reader.js';
import type { Measured } from '../lib/figures.js';
import type { HealthTimes } from '../lib/health.js';
import type { HealthOrder } from '../lib/health-process.js';
import type { Polled, PollOrder } from '../lib/poll-process.js';
import { cpuOf, memoryOf } from '../lib/processes.js';
import { median } from '../lib/statistics.js';
import { startWorker } from '../lib/workers.js';

const CLIENTS = 5;
const POLL_MS = 10_000;
const TIMES = 5;
const CHANGES_A_SECOND = 200;
/** The kept document and one that is being rendered or sent; never one per client. */
const MOST_DOCUMENTS = 2;
const CHANGE_MS = 500;

interface View {
  readonly name: string;
  readonly path: string;
  readonly accept: string;
  readonly body?: string;
}

const GET_STATE = { path: '/api/v1', body: '{"type":"GET_STATE"}' };
const STATE: View = { name: '/state', path: '/state', accept: 'application/json' };
const VIEWS: readonly View[] = [
  STATE,
  { name: 'GET_STATE as JSON', accept: 'application/json', ...GET_STATE },
  { name: 'GET_STATE as protobuf', accept: 'application/x-protobuf', ...GET_STATE },
];

function requestText(address: string, { path, accept, body }: View): string {
  const head = `Host: ${address}\r\nAccept: ${accept}\r\n`;
  if (body === undefined) return `GET ${path} HTTP/1.1\r\n${head}\r\n`;
  return `POST ${path} HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

async function documentOf(address: string, { path, accept, body }: View): Promise<unknown> {
  const headers = { Accept: accept, 'Content-Type': 'application/json' };
  const answer = await fetch(`http://${address}${path}`, body === undefined ? {} : { method: 'POST', headers, body });
  return answer.json();
}

/** Updates running tasks all over the cluster, so that no kept rendering is current. */
const change = ({ emulator }: FullCluster, forMs: number): Promise<void> =>
  emulator.sendUpdates(CHANGES_A_SECOND, forMs, 'a change');

/** The first rendering writes everything, later ones only the runs of records that changed. */
async function measure(cluster: FullCluster, view: View): Promise<readonly Measured[]> {
  const { address } = cluster.master;
  const isJson = view.accept === 'application/json';
  const request = requestText(address, view);
  const reader = createCountingReader(address);
  const times: number[] = [];
  let bytes = 0;
  for (let at = 0; at <= TIMES; at++) {
    await change(cluster, CHANGE_MS);
    await pause(200);
    const begun = performance.now();
    bytes = await reader.read(request);
    times.push(performance.now() - begun);
  }
  reader.close();
  const [first = Number.NaN, ...again] = times;
  const size = `${Math.round(bytes / 1e6)} MB`;
  const figures = [
    { name: `${view.name}, ${size}, the first time`, unit: 'ms', value: first },
    { name: `${view.name}, after a change`, unit: 'ms', value: median(again) },
  ];
  if (!isJson) return figures;
  const baseline = { name: 'JSON.stringify of the document', value: stringifyMs(await documentOf(address, view)) };
  return figures.map((figure) => ({ ...figure, baseline, target: { of: 'ratio', is: 'at most', limit: 1.2 } }));
}

function stringifyMs(document: unknown): number {
  const times = Array.from({ length: TIMES }, () => {
    const begun = performance.now();
    JSON.stringify(document);
    return performance.now() - begun;
  });
  return median(times);
}

/** Five clients request /state repeatedly while tasks change. */
async function poll(cluster: FullCluster): Promise<readonly Measured[]> {
  const { address, pid } = cluster.master;
  const pollers = startWorker<PollOrder, Polled>('poll');
  const probe = startWorker<HealthOrder, HealthTimes>('health');
  try {
    const request = requestText(address, STATE);
    const alone = createCountingReader(address);
    const size = await alone.read(request);
    alone.close();
    const before = memoryOf(pid).rss;
    const cpuBefore = cpuOf(pid);
    let most = before;
    const sampling = setInterval(() => {
      most = Math.max(most, memoryOf(pid).rss);
    }, 100);
    await probe.ask({ kind: 'start', address });
    await pollers.ask({ kind: 'start', address, clients: CLIENTS, request });
    await change(cluster, POLL_MS);
    const { answers } = await pollers.ask({ kind: 'stop' });
    const { p50, p99, max } = await probe.ask({ kind: 'stop' });
    clearInterval(sampling);
    const under = `${CLIENTS} clients of /state`;
    return [
      { name: `/health p50, ${under}`, unit: 'ms', value: p50 },
      { name: `/health p99, ${under}`, unit: 'ms', value: p99, target: { of: 'value', is: 'at most', limit: 10 } },
      { name: `/health max, ${under}`, unit: 'ms', value: max },
      { name: `responses of /state per second, ${under}`, unit: '/s', value: (answers / POLL_MS) * 1000 },
      { name: `master CPU per response, ${under}`, unit: 'ms', value: ((cpuOf(pid) - cpuBefore) / answers) * 1000 },
      {
        name: `memory growth, ${under}`,
        unit: 'documents',
        value: ((most - before) * 1024) / size,
        target: { of: 'value', is: 'at most', limit: MOST_DOCUMENTS },
      },
    ];
  } finally {
    await pollers.stop();
    await probe.stop();
  }
}

async function run({ full }: Scale): Promise<readonly Measured[]> {
  const cluster = full ? await fillCluster(10_000, 100_000, 100_000) : await fillCluster(1000, 10_000, 10_000);
  try {
    const figures: Measured[] = [];
    for (const view of VIEWS) figures.push(...(await measure(cluster, view)));
    return [...figures, ...(await poll(cluster))];
  } finally {
    cluster.scheduler.close();
    await cluster.stop();
  }
}

// It fills the cluster once and measures five times itself.
await benchmark('state', run, 1);
