// Children in namespaces of their own for tests, in a temporary directory. They need root.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after } from 'node:test';
import { type ChildRequest, type LinuxMount, type LinuxPlan, SHARED_LINUX } from '@meseta/base';
import { children, endOf, identityOf } from './children.js';

export const asRoot = { skip: process.getuid?.() === 0 ? false : 'needs root' };
export const nobody = 65534;
export const root = mkdtempSync(`${tmpdir()}/meseta-isolation-`);
chmodSync(root, 0o755);
after(() => {
  // Nothing of a container's mounts reaches the machine.
  assert.ok(!read('/proc/self/mountinfo').includes(root));
  rmSync(root, { recursive: true, force: true });
});

export function read(path: string): string {
  return readFileSync(path, 'utf8');
}

let directories = 0;
export function newDirectory(): string {
  const path = `${root}/${directories++}`;
  mkdirSync(path);
  return path;
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function requestIn(
  path: string,
  script: string,
  linux: Partial<LinuxPlan>,
  more: Partial<ChildRequest> = {},
): ChildRequest {
  return {
    program: '/bin/sh',
    argv: ['sh', '-c', script],
    environment: { PATH },
    directory: { path, identity: identityOf(path) },
    output: 'files',
    user: undefined,
    limits: [],
    cgroups: [],
    record: undefined,
    linux: { ...SHARED_LINUX, ...linux },
    ...more,
  };
}

/** Runs a script to its end. Returns what it wrote, or why it was not started. */
export async function run(
  path: string,
  script: string,
  linux: Partial<LinuxPlan>,
  more: Partial<ChildRequest> = {},
): Promise<string> {
  const started = children.start(requestIn(path, script, linux, more));
  if (!started.ok) return started.error;
  await endOf(started.value.pid);
  return read(`${path}/stdout`) + read(`${path}/stderr`);
}

export const bind = (source: string, target: string, isReadOnly = false): LinuxMount => ({
  kind: 'bind',
  source: { root: source, names: [] },
  target,
  isReadOnly,
});

/** A root file system with the shell of this machine. */
export function newRoot(): string {
  const path = newDirectory();
  for (const name of ['bin', 'lib', 'lib64', 'usr']) mkdirSync(`${path}/${name}`);
  return path;
}
/** The programs and libraries of this machine, in a root. */
export const MACHINE: readonly LinuxMount[] = ['/usr', '/bin', '/lib', '/lib64']
  .filter((path) => existsSync(path))
  .map((path) => bind(realpathSync(path), path, true));
