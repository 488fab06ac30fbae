// The order of events, with an engine that answers at chosen times. What a real one does is in docker.test.ts.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { type TestContext, test } from 'node:test';
import type { ContainerId, LocalResponse, SendLocalRequest } from '@meseta/base';
import { realClock } from '@meseta/platform';
import { createFiles } from '@meseta/platform/files';
import type { LauncherEvent } from '../launcher.js';
import { createDockerLauncher, type DockerLauncher } from './docker.js';
import type { DockerPlan } from './docker-plan.js';

const responseOf = (status: number, ...parts: readonly string[]): LocalResponse => {
  const left = [...parts];
  return {
    status,
    next: async () => ({ ok: true, value: left.length === 0 ? undefined : Buffer.from(left.shift() ?? '') }),
    close: () => {},
  };
};

interface Handled {
  readonly send: SendLocalRequest;
  /** `METHOD path` of the requests, without the version and the query. */
  readonly asked: string[];
}

/** Answers with these bodies by `METHOD path`; what has none never ends. */
function answering(answers: { readonly [request: string]: () => string | Promise<string> }): Handled {
  const asked: string[] = [];
  const send: SendLocalRequest = async ({ method, path }) => {
    if (path === '/version') return { ok: true, value: responseOf(200, '{"ApiVersion": "1.41"}') };
    const request = `${method} ${path.replace(/^\/v[\d.]+/, '').replace(/\?.*/s, '')}`;
    asked.push(request);
    const answer = answers[request];
    const body = answer === undefined ? await new Promise<string>(() => {}) : await answer();
    return { ok: true, value: responseOf(200, body) };
  };
  return { send, asked };
}

async function open(
  t: TestContext,
  send: SendLocalRequest,
  onEvent: (event: LauncherEvent) => void,
  removeDelayMs = 3_600_000,
): Promise<{ readonly launcher: DockerLauncher; readonly directory: string }> {
  const directory = mkdtempSync(`${tmpdir()}/meseta-docker-launcher-`);
  mkdirSync(`${directory}/sandbox`);
  const made = await createDockerLauncher({
    files: createFiles(),
    clock: realClock,
    directory: `${directory}/run`,
    agent: 'test',
    stopTimeoutMs: 0,
    removeDelayMs,
    killOrphans: true,
    enableCfs: false,
    totalMemoryBytes: 2 ** 30,
    warn: () => {},
    onEvent,
    onPulled: () => {},
    send,
    socket: '/none',
    credentials: new Map(),
  });
  assert.ok(made.ok, made.ok ? '' : made.error);
  t.after(async () => {
    await made.value.close();
    rmSync(directory, { recursive: true });
  });
  return { launcher: made.value, directory };
}

test('only containers with names of an agent are killed as orphans, whatever labels others have', async (t) => {
  const listed = [
    { Names: ['/database'], State: 'running' },
    { Names: ['/mesos-lost'], State: 'running' },
  ];
  const { send, asked } = answering({
    'GET /containers/json': () => JSON.stringify(listed),
    'POST /containers/mesos-lost/stop': () => '',
    'POST /containers/database/stop': () => '',
  });
  const { launcher } = await open(t, send, () => {});
  assert.deepEqual(await launcher.recover(), []);
  assert.deepEqual(
    asked.filter((it) => it.endsWith('/stop')),
    ['POST /containers/mesos-lost/stop'],
  );
});

test('DOCKER-1: an end is reported after the start, also if the engine reports it before', async (t) => {
  let inspections = 0;
  let started = (): void => {};
  const running = new Promise<void>((resolve) => {
    started = resolve;
  });
  const state = (): string => {
    started();
    // It ends as soon as the launcher has seen it running.
    const State = inspections++ === 0 ? { Status: 'running', Pid: 2 } : { Status: 'exited', ExitCode: 3 };
    return JSON.stringify({ State });
  };
  const die = '{"Action": "die", "Actor": {"Attributes": {"name": "mesos-c"}}}\n';
  const { send } = answering({
    'GET /containers/json': () => '[]',
    'GET /events': async () => {
      await running;
      return die;
    },
    'GET /images/i:latest/json': () => '{}',
    'GET /images/i%3Alatest/json': () => '{}',
    'POST /containers/create': () => '',
    'POST /containers/mesos-c/start': () => '',
    'GET /containers/mesos-c/json': state,
    'GET /containers/mesos-c/logs': () => '',
  });
  const events: string[] = [];
  let ended = (): void => {};
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const { launcher, directory } = await open(t, send, ({ kind }) => {
    events.push(kind);
    if (kind !== 'started') ended();
  });
  const plan = {
    kind: 'docker',
    owner: undefined,
    sandbox: `${directory}/sandbox`,
    image: { repository: 'i', tag: 'latest', registry: undefined },
    forcePull: false,
    request: { Image: 'i', environment: new Map(), Labels: {}, ExposedPorts: {}, HostConfig: {}, endpoint: {} },
    networkInfo: undefined,
    directories: [],
  } as unknown as DockerPlan;
  launcher.launch('c' as ContainerId, plan);
  await end;
  assert.deepEqual(events, ['started', 'exited']);
});
