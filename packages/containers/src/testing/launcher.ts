// A containerizer with the posix launcher on this machine for tests, in a temporary directory, with a real supervisor (of
// the built dist/).
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { after, afterEach, beforeEach } from 'node:test';
import { type ContainerId, seededRandom } from '@meseta/base';
import type { CommandInfo } from '@meseta/wire';
import { type Containerizer, type ContainerizerOptions, createContainerizer } from '../containerizer.js';
import type { ContainerEvent, ContainerSpec } from '../types.js';
import { cgroupsOptions, isolationOptions, removeTestCgroups, testCgroup } from './isolation.js';
import { fetcherIn, machinePorts } from './machine-ports.js';

/** Starts a supervisor for the directory that is added to the arguments. */
const supervisor = { program: process.execPath, arguments: [resolve('dist/meseta.mjs'), 'supervisor'] };

export const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** The directory of the running test, removed after it. */
export let root = '';
export let events: ContainerEvent[] = [];
const listeners: (() => void)[] = [];
const started: Containerizer[] = [];
const launched = new Set<ContainerId>();

beforeEach(() => {
  root = mkdtempSync(`${tmpdir()}/meseta-containers-`);
  events = [];
});

afterEach(async () => {
  for (const containers of started.splice(0)) {
    for (const id of launched) containers.destroy(id);
    // A containerizer that is closed carries nothing out any more.
    await new Promise((resolve) => setImmediate(resolve));
    await containers.close();
  }
  launched.clear();
  rmSync(root, { recursive: true, force: true });
});

after(removeTestCgroups);

export function forgetEvents(): void {
  events = [];
}

/** Resolves at the next event. */
export const nextEvent = (): Promise<void> => new Promise((resolve) => listeners.push(resolve));

/** Resolves when the file exists and has content that passes. */
export async function untilFile(path: string, passes = (text: string): boolean => text !== ''): Promise<string> {
  const watcher = watch(dirname(path));
  try {
    for (;;) {
      const changed = new Promise((resolve) => watcher.once('change', resolve));
      const text = read(path);
      if (passes(text)) return text;
      await changed;
    }
  } finally {
    watcher.close();
  }
}

/** Resolves when the process has ended. It is not this process' child, so there is no event to await. */
export async function untilDead(pid: number, timeoutMs = 20_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (alive(pid)) {
    assert.ok(performance.now() < deadlineMs, `process ${pid} lives`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export interface StartOptions {
  readonly isolation?: Partial<ContainerizerOptions['isolation']>;
  readonly launcher?: ContainerizerOptions['launcher']['name'];
  readonly images?: ContainerizerOptions['images'];
  readonly seccomp?: ContainerizerOptions['seccomp'];
  readonly gpus?: ContainerizerOptions['gpus'];
  readonly docker?: ContainerizerOptions['docker'];
  readonly warn?: ContainerizerOptions['warn'];
}

/** A containerizer with the posix launcher and its isolators, or with those that the options name. */
export async function start(options: StartOptions = {}): Promise<Containerizer> {
  const made = await createContainerizer({
    runtimeDir: `${root}/run`,
    workDir: root,
    ...machinePorts(),
    isolation: {
      ...isolationOptions,
      names: 'posix/cpu,posix/mem,disk/du',
      diskWatchIntervalMs: 100,
      enforceDiskQuota: true,
      cgroups: { ...cgroupsOptions, root: testCgroup },
      ...options.isolation,
    },
    launcher: { name: options.launcher ?? 'posix', destroyTimeoutMs: 10_000 },
    images: options.images,
    seccomp: options.seccomp,
    gpus: options.gpus,
    random: seededRandom(1),
    warn: options.warn ?? ((message) => assert.fail(message)),
    containerizers: options.docker === undefined ? ['mesos'] : ['docker', 'mesos'],
    docker: options.docker,
    supervisor,
    fetcher: { ...fetcherIn(root), cacheBytes: 1e6, stallTimeoutMs: 5000 },
    onEvent(event) {
      events.push(event);
      for (const notify of listeners.splice(0)) notify();
    },
  });
  assert.ok(made.ok, made.ok ? '' : made.error);
  started.push(made.value);
  return made.value;
}

export async function next<K extends ContainerEvent['kind']>(
  kind: K,
  id: string,
): Promise<Extract<ContainerEvent, { kind: K }>> {
  for (;;) {
    const found = events.find((event) => event.kind === kind && event.containerId === id);
    if (found) return found as Extract<ContainerEvent, { kind: K }>;
    const failed = events.find((event) => event.kind === 'launchFailed' && event.containerId === id);
    assert.equal(failed, undefined);
    await nextEvent();
  }
}

/** Resolves to why a container was not launched. */
export async function nextFailure(id: string): Promise<string> {
  for (;;) {
    const found = events.find((event) => event.containerId === id && event.kind !== 'started');
    if (found !== undefined) return found.kind === 'launchFailed' ? found.message : `it has ${found.kind}`;
    await nextEvent();
  }
}

export function spec(id: string, command: CommandInfo, extra: Partial<ContainerSpec> = {}): ContainerSpec {
  const sandbox = `${root}/sandbox ${id}'s`;
  mkdirSync(sandbox, { recursive: true });
  launched.add(id as ContainerId);
  return {
    containerId: id as ContainerId,
    sandbox,
    user: undefined,
    command,
    environment: { PATH: path },
    uris: [],
    rlimits: undefined,
    resources: [],
    container: undefined,
    volumes: [],
    ...extra,
  };
}

export const output = (it: ContainerSpec, name = 'stdout'): string => readFileSync(`${it.sandbox}/${name}`, 'utf8');
export const alive = (pid: number): boolean => /^State:\s+[^ZX]/m.test(read(`/proc/${pid}/status`));
export const read = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');
