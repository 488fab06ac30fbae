// The cost of a durable append to the registry, with write and fdatasync of the same bytes as the baseline. Prints a line per
// case. Both alternate in rounds on the same disk, so that other load of the machine affects both.
import { mkdtempSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FencedLog } from '@meseta/coordination';
import { openRegistryStore } from './store.js';

const ROUNDS = 20;
const APPENDS = 50;
/** An agent's admission is some hundred bytes. */
const BATCH_BYTES = 400;

interface Case {
  readonly name: string;
  /** Concurrent appends. */
  readonly together: number;
}

const CASES: readonly Case[] = [
  { name: 'one at a time', together: 1 },
  { name: '32 at a time', together: 32 },
  { name: '1000 at a time', together: 1000 },
];

const batch = Buffer.alloc(BATCH_BYTES, 120);

async function store(registry: FencedLog, together: number, times: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < times; i++) {
    await Promise.all(Array.from({ length: together }, () => registry.append(batch)));
  }
  return performance.now() - start;
}

/** The same bytes, with one fdatasync for those that come together. */
async function bare(file: FileHandle, together: number, times: number): Promise<number> {
  const bytes = Buffer.concat(Array.from({ length: together }, () => batch));
  const start = performance.now();
  for (let i = 0; i < times; i++) {
    await file.write(bytes);
    await file.datasync();
  }
  return performance.now() - start;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] as number;

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'meseta-bench-'));
  const registry = await openRegistryStore(join(directory, 'registry'));
  const file = await open(join(directory, 'bare'), 'w');
  try {
    await store(registry.log, 1, 20);
    await bare(file, 1, 20);
    for (const { name, together } of CASES) {
      const times = Math.max(2, Math.floor(APPENDS / together));
      const ours: number[] = [];
      const baseline: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        ours.push((await store(registry.log, together, times)) / times);
        baseline.push((await bare(file, together, times)) / times);
      }
      const [a, b] = [median(ours), median(baseline)];
      console.log(
        `${name.padEnd(16)} registry ${a.toFixed(3)} ms, bare write+fdatasync ${b.toFixed(3)} ms, ratio ${(a / b).toFixed(2)}`,
      );
    }
  } finally {
    await registry.close();
    await file.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

await main();
