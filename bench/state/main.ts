// Reading the whole state of a large cluster: how long /state and GET_STATE take beside a JSON.stringify of the same
// document, and how late /health answers while five clients ask for the state over and over.
import { Agent, request } from 'node:http';
import { benchmark, type Scale } from '../lib/benchmark.js';
import { type FullCluster, fillCluster } from '../lib/cluster.js';
import { pause } from '../lib/daemons.js';
import type { Measured } from '../lib/figures.js';
import { probeHealth } from '../lib/health.js';
import { memoryOf } from '../lib/processes.js';
import { median } from '../lib/statistics.js';

const CLIENTS = 5;
const POLL_MS = 10_000;
const TIMES = 5;

const VIEWS = [
  { name: '/state', method: 'GET', path: '/state', headers: {}, body: '' },
  {
    name: 'GET_STATE as JSON',
    method: 'POST',
    path: '/api/v1',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: '{"type":"GET_STATE"}',
  },
  {
    name: 'GET_STATE as protobuf',
    method: 'POST',
    path: '/api/v1',
    headers: { 'Content-Type': 'application/json', Accept: 'application/x-protobuf' },
    body: '{"type":"GET_STATE"}',
  },
] as const;

type View = (typeof VIEWS)[number];

/** The answer's bytes, or only how many if they aren't kept. */
function read(address: string, view: View, agent: Agent, keep: boolean): Promise<{ text: string; bytes: number }> {
  const [host, port] = address.split(':') as [string, string];
  const { method, path, headers, body } = view;
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, method, path, headers, agent }, (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (keep) parts.push(chunk);
      });
      response.on('end', () => resolve({ text: Buffer.concat(parts).toString(), bytes }));
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

/** Something changes, so that no rendering that was kept will do. */
const change = ({ scheduler }: FullCluster): Promise<void> => scheduler.call({ type: 'REVIVE' });

async function once(cluster: FullCluster, view: View, agent: Agent): Promise<number> {
  await change(cluster);
  await pause(200);
  const begun = performance.now();
  await read(cluster.master.address, view, agent, false);
  return performance.now() - begun;
}

async function measure(cluster: FullCluster, view: View, agent: Agent): Promise<Measured> {
  const { text, bytes } = await read(cluster.master.address, view, agent, true);
  const stringify = (): number => {
    const document = JSON.parse(text) as unknown;
    const begun = performance.now();
    JSON.stringify(document);
    return performance.now() - begun;
  };
  const isJson = !view.name.endsWith('protobuf');
  const ours: number[] = [];
  const bare: number[] = [];
  for (let at = 0; at < TIMES; at++) {
    ours.push(await once(cluster, view, agent));
    if (isJson) bare.push(stringify());
  }
  return {
    name: `${view.name}, ${Math.round(bytes / 1e6)} MB`,
    unit: 'ms',
    value: median(ours),
    ...(isJson
      ? {
          yardstick: { name: 'JSON.stringify of it', value: median(bare) },
          aim: { of: 'ratio', is: 'at most', limit: 1.2 },
        }
      : {}),
  };
}

/** Five clients that ask for /state one answer after the other, while things change. */
async function poll(cluster: FullCluster, agent: Agent): Promise<readonly Measured[]> {
  const { address, pid } = cluster.master;
  const before = memoryOf(pid).rss;
  const health = probeHealth(address);
  const until = performance.now() + POLL_MS;
  let most = before;
  let answers = 0;
  let size = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < until) {
      size = (await read(address, VIEWS[0], agent, false)).bytes;
      answers++;
      most = Math.max(most, memoryOf(pid).rss);
    }
  };
  const timer = setInterval(() => void change(cluster), 250);
  await Promise.all(Array.from({ length: CLIENTS }, client));
  clearInterval(timer);
  const { p50, p99 } = health.stop();
  return [
    { name: `/health p50, ${CLIENTS} clients of /state`, unit: 'ms', value: p50 },
    {
      name: `/health p99, ${CLIENTS} clients of /state`,
      unit: 'ms',
      value: p99,
      aim: { of: 'value', is: 'at most', limit: 10 },
    },
    { name: `answers of /state a second, ${CLIENTS} clients`, unit: '/s', value: (answers / POLL_MS) * 1000 },
    { name: 'memory grown, in documents', unit: 'each', value: ((most - before) * 1024) / size },
  ];
}

async function run({ full }: Scale): Promise<readonly Measured[]> {
  const cluster = full ? await fillCluster(10_000, 100_000, 100_000) : await fillCluster(1000, 10_000, 10_000);
  const agent = new Agent({ keepAlive: true });
  try {
    const figures: Measured[] = [];
    for (const view of VIEWS) figures.push(await measure(cluster, view, agent));
    return [...figures, ...(await poll(cluster, agent))];
  } finally {
    agent.destroy();
    cluster.scheduler.close();
    await cluster.stop();
  }
}

// It fills the cluster once and measures five times itself.
await benchmark('state', run, 1);
