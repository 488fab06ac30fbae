// A Docker engine for tests: a dockerd of this machine with directories of its own and an image made of this machine's
// programs; nothing is downloaded.
//
// Owns: the processes of the engine, its directory, mounts and cgroups; `stop` leaves none of them.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import * as http from 'node:http';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { until } from '@meseta/platform/testing/until';

const DOCKERD = '/usr/sbin/dockerd';
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 20_000;

/** For the options of tests that need an engine. */
export const needsDocker = {
  skip:
    process.getuid?.() === 0 && existsSync(DOCKERD)
      ? false
      : 'needs root and the package docker.io, which npm test installs as root on Debian and Ubuntu',
};

export const IMAGE = 'meseta-test:latest';

export interface TestEngine {
  readonly socket: string;
  /** The answer to a request, as JSON. Its status must be no error. */
  call(method: string, path: string, body?: string | Buffer): Promise<unknown>;
  /** Removes all containers. */
  removeContainers(): Promise<void>;
  stop(): Promise<void>;
}

function send(socketPath: string, method: string, path: string, body?: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers =
      body === undefined ? {} : { 'Content-Type': typeof body === 'string' ? 'application/json' : 'application/x-tar' };
    const request = http.request({ socketPath, method, path, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        const text = Buffer.concat(parts).toString();
        if ((response.statusCode ?? 500) < 400) resolve(text);
        else reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** The files of programs and of the libraries that they load. */
function filesOf(programs: readonly string[]): readonly string[] {
  const files = new Set(programs);
  for (const program of programs) {
    const text = execFileSync('ldd', [program]).toString();
    for (const [, path = ''] of text.matchAll(/(\/\S+) \(0x/g)) files.add(path);
  }
  return [...files];
}

/** An image with a shell, perl and a few programs. */
function makeImage(directory: string): Buffer {
  const tree = `${directory}/image`;
  for (const file of filesOf(['/bin/sh', '/bin/cat', '/bin/sleep', '/usr/bin/perl'])) {
    mkdirSync(dirname(`${tree}${file}`), { recursive: true });
    copyFileSync(file, `${tree}${file}`);
  }
  mkdirSync(`${tree}/tmp`);
  return execFileSync('tar', ['-c', '-C', tree, '.'], { maxBuffer: 2 ** 30 });
}

/** Before version 23 dockerd writes a key to /etc/docker unless its configuration names another path. */
function configOf(directory: string): object {
  const major = Number(/version (\d+)/.exec(execFileSync(DOCKERD, ['--version']).toString())?.[1]);
  return major < 23 ? { 'deprecated-key-path': `${directory}/key.json` } : {};
}

/** Removes what a killed engine leaves behind. */
function removeRest(directory: string, cgroup: string): void {
  for (const hierarchy of ['', ...readdirSync('/sys/fs/cgroup').map((name) => `/${name}`)]) {
    const path = `/sys/fs/cgroup${hierarchy}${cgroup}`;
    if (existsSync(path)) rmdirSync(path);
  }
  rmSync(directory, { recursive: true, force: true });
}

export async function startDockerEngine(): Promise<TestEngine> {
  const directory = mkdtempSync(`${tmpdir()}/meseta-docker-`);
  const socket = `${directory}/docker.sock`;
  const cgroup = `/meseta-docker-test-${process.pid}`;
  writeFileSync(`${directory}/config.json`, JSON.stringify(configOf(directory)));
  const log = openSync(`${directory}/log`, 'w');
  const flags = [
    `--config-file=${directory}/config.json`,
    `--data-root=${directory}/data`,
    `--exec-root=${directory}/exec`,
    `--pidfile=${directory}/pid`,
    `--host=unix://${socket}`,
    `--cgroup-parent=${cgroup}`,
    '--bridge=none',
    '--iptables=false',
    '--ip-forward=false',
    '--ip-masq=false',
  ];
  // In a mount namespace of its own, which ends with the engine and its containers.
  const command = ['--mount', '--propagation', 'private', DOCKERD, ...flags];
  const daemon = spawn('unshare', command, { stdio: ['ignore', log, log] });
  closeSync(log);
  const ended = new Promise<void>((resolve) => daemon.once('exit', () => resolve()));
  const call: TestEngine['call'] = async (method, path, body) => {
    const text = await send(socket, method, path, body);
    return text.startsWith('{') || text.startsWith('[') ? JSON.parse(text.split('\n', 1)[0] ?? '') : text;
  };
  const removeContainers = async (): Promise<void> => {
    const found = (await call('GET', '/containers/json?all=1')) as readonly { readonly Id: string }[];
    await Promise.all(found.map(({ Id }) => call('DELETE', `/containers/${Id}?force=1&v=1`)));
  };
  const stop = async (): Promise<void> => {
    if (daemon.exitCode === null) {
      await removeContainers().catch(() => {});
      daemon.kill('SIGTERM');
      const timer = setTimeout(() => daemon.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(timer);
    }
    removeRest(directory, cgroup);
  };
  try {
    await until(
      'dockerd answers',
      () => {
        assert.equal(daemon.exitCode, null, readFileSync(`${directory}/log`, 'utf8').slice(-2000));
        return send(socket, 'GET', '/_ping').then(
          () => true,
          () => false,
        );
      },
      START_TIMEOUT_MS,
    );
    const from = new URLSearchParams({ fromSrc: '-', repo: 'meseta-test', tag: 'latest', changes: 'ENV OF_IMAGE=yes' });
    await call('POST', `/images/create?${from}`, makeImage(directory));
  } catch (error) {
    await stop();
    throw error;
  }
  return { socket, call, removeContainers, stop };
}
