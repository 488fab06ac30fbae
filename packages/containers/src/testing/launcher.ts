// A posix launcher on this machine for tests: in a directory of its own, with a supervisor in perl or in a shell.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, test } from 'node:test';
import { type ContainerId, err, type Files } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import { createOutbound } from '@meseta/platform/outbound';
import { createProcesses } from '@meseta/platform/processes';
import type { CommandInfo } from '@meseta/wire';
import { createPosixContainers } from '../launchers/posix/posix.js';
import type { ContainerEvent, ContainerSpec, Containers } from '../types.js';

export const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Of the test that runs; removed after it. */
export let root = '';
export let events: ContainerEvent[] = [];
const wake: (() => void)[] = [];
const open: Containers[] = [];
const launched = new Set<ContainerId>();

beforeEach(() => {
  files = createFiles();
  root = mkdtempSync(`${tmpdir()}/meseta-containers-`);
  events = [];
});

afterEach(async () => {
  for (const containers of open.splice(0)) {
    for (const id of launched) containers.destroy(id);
    await containers.close();
  }
  launched.clear();
  rmSync(root, { recursive: true, force: true });
});

let files: Files = createFiles();

/** What launchers that start from now on take for this machine. */
export function useMachine(machine: Files): void {
  files = machine;
}

export function forgetEvents(): void {
  events = [];
}

/** Something has happened. */
export const nextEvent = (): Promise<void> => new Promise((resolve) => wake.push(resolve));

/** A machine without perl. */
export function filesWithoutPerl(): Files {
  const machine = createFiles();
  const missing = { code: 'ENOENT', message: 'not here' };
  return { ...machine, realPath: async (path) => (path.endsWith('/perl') ? err(missing) : machine.realPath(path)) };
}

export async function start(): Promise<Containers> {
  const made = await createPosixContainers({
    runtimeDir: `${root}/run`,
    files,
    processes: createProcesses(),
    outbound: createOutbound(),
    fetcher: {
      cacheDir: `${root}/cache`,
      cacheBytes: 1e6,
      frameworksHome: undefined,
      stallTimeoutMs: 5000,
      maxUriBytes: 1e9,
      maxTaskBytes: 1e9,
    },
    onEvent(event) {
      events.push(event);
      for (const look of wake.splice(0)) look();
    },
  });
  assert.ok(made.ok, made.ok ? '' : made.error);
  open.push(made.value);
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
    await new Promise<void>((resolve) => wake.push(resolve));
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
    ...extra,
  };
}

export const output = (it: ContainerSpec, name = 'stdout'): string => readFileSync(`${it.sandbox}/${name}`, 'utf8');
export const alive = (pid: number): boolean => /^State:\s+[^ZX]/m.test(read(`/proc/${pid}/status`));
export const read = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');

/** By a supervisor in perl and by one that is a shell. */
export function supervised(
  name: string,
  body: (byPerl: boolean) => Promise<void>,
  options: { readonly skip?: boolean } = {},
): void {
  for (const [by, machine] of [
    ['perl', createFiles()],
    ['a shell', filesWithoutPerl()],
  ] as const) {
    test(`${name} (${by})`, options, async () => {
      files = machine;
      await body(by === 'perl');
    });
  }
}
