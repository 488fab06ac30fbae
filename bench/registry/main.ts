// Admission of agents to the durable registry in batches, as a master does it, and recovery, as the next master does it. The
// baseline is write and fdatasync of the same batches. (The benchmark failover measures a whole master.)
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentId, present } from '@meseta/base';
import { encodeAgentInfo } from '@meseta/master/registry/agent-info';
import { encodeOperations } from '@meseta/master/registry/encode';
import { applyToRegistry, type RegistryOperation } from '@meseta/master/registry/operations';
import { emptyRegistry } from '@meseta/master/registry/state';
import { createRegistryLog, type RegistryLog } from '@meseta/master/shell/registry-log';
import { createMasterTimings } from '@meseta/master/views/metrics';
import type { AgentInfo } from '@meseta/wire';
import { benchmark, type Scale } from '../lib/benchmark.js';
import { agentInfo } from '../lib/emulated-agent.js';
import type { Measured } from '../lib/figures.js';
import { openRegistryStore } from './store.js';

/** So many come while one batch is being written. */
const TOGETHER = 200;

const batchesOf = (agents: number): readonly (readonly AgentInfo[])[] =>
  Array.from({ length: Math.ceil(agents / TOGETHER) }, (_, batch) =>
    Array.from({ length: Math.min(TOGETHER, agents - batch * TOGETHER) }, (_, i) => {
      const at = batch * TOGETHER + i;
      return agentInfo(at, 5051, `b5f3a1c2-0000-4000-8000-000000000000-S${at}`);
    }),
  );

const admissionsOf = (infos: readonly AgentInfo[]): readonly RegistryOperation[] =>
  infos.map((info) => ({
    kind: 'admitAgent',
    agentId: present(info.id, 'id').value as AgentId,
    info: encodeAgentInfo(info),
  }));

/** Bytes of the blocks that the files below a directory take. */
const bytesBelow = (directory: string): number =>
  readdirSync(directory, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(directory, entry.name);
    return sum + (entry.isDirectory() ? bytesBelow(path) : statSync(path).blocks * 512);
  }, 0);

interface Opened {
  readonly log: RegistryLog;
  /** Settles with the next batch that is durable. */
  persisted(): Promise<void>;
  close(): Promise<void>;
}

async function openLog(directory: string): Promise<Opened> {
  const registry = await openRegistryStore(directory);
  let heard: () => void = () => {};
  let closing = false;
  const log = createRegistryLog({
    log: registry.log,
    timings: createMasterTimings(),
    onPersisted: () => heard(),
    onFailure: (text) => {
      if (!closing) throw new Error(text);
    },
  });
  return {
    log,
    persisted: () =>
      new Promise((resolve) => {
        heard = resolve;
      }),
    // A snapshot may still be on its way: the batches are there without it.
    close() {
      closing = true;
      return registry.close();
    },
  };
}

async function admit(directory: string, batches: readonly (readonly AgentInfo[])[]): Promise<number> {
  const { log, persisted, close } = await openLog(directory);
  const registry = emptyRegistry();
  await log.read();
  const begun = performance.now();
  let waiting = admissionsOf(batches[0] ?? []);
  for (const at of batches.keys()) {
    const admissions = waiting;
    const durable = persisted();
    log.persist(admissions, registry);
    // The master decides on the next ones while these are with the store.
    waiting = admissionsOf(batches[at + 1] ?? []);
    await durable;
    for (const operation of admissions) applyToRegistry(registry, operation);
  }
  const tookMs = performance.now() - begun;
  await close();
  return tookMs;
}

async function bare(path: string, batches: readonly (readonly AgentInfo[])[]): Promise<number> {
  const encoded = batches.map((batch) => Buffer.from(encodeOperations(admissionsOf(batch))));
  const file = await open(path, 'w');
  const begun = performance.now();
  for (const bytes of encoded) {
    await file.write(bytes);
    await file.datasync();
  }
  const tookMs = performance.now() - begun;
  await file.close();
  return tookMs;
}

async function run({ full }: Scale): Promise<readonly Measured[]> {
  const agents = full ? 50_000 : 10_000;
  const batches = batchesOf(agents);
  const directory = mkdtempSync(join(tmpdir(), 'meseta-bench-'));
  try {
    const bareMs = await bare(join(directory, 'bare'), batches);
    const tookMs = await admit(join(directory, 'registry'), batches);
    const bytes = bytesBelow(join(directory, 'registry'));
    const begun = performance.now();
    const again = await openLog(join(directory, 'registry'));
    const read = await again.log.read();
    const recoveredMs = performance.now() - begun;
    await again.close();
    if (!read.ok || read.value.agents.size !== agents) throw new Error('not all agents were found again');
    return [
      {
        name: `${agents} agents admitted`,
        unit: 'ms',
        value: tookMs,
        baseline: { name: 'write and fdatasync of the same batches', value: bareMs },
        target: { of: 'ratio', is: 'at most', limit: 2 },
      },
      {
        name: 'registry on disk per agent',
        unit: 'KB',
        value: bytes / agents / 1000,
        target: { of: 'value', is: 'at most', limit: 4 },
      },
      {
        name: `${agents} agents recovered`,
        unit: 'ms',
        value: recoveredMs,
        target: { of: 'value', is: 'at most', limit: 500 },
      },
    ];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

await benchmark('registry', run);
