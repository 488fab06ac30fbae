import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FrameworkId } from '@meseta/base';
import { createLogger, parseFlags } from '@meseta/platform';
import type { TaskInfo } from '@meseta/wire';
import { AgentResponseGetStateCodec } from '@meseta/wire/codecs';
import { frameworkOf, registeredWorld, run, runToRunning, taskOf } from '../core/testing.js';
import type { Approver } from '../views/approver.js';
import { statePieces } from '../views/v0.js';
import { getState } from '../views/v1.js';
import { createDetector } from './detector.js';
import { agentFlags } from './flags.js';
import { securityOf } from './security.js';

const all = (): boolean => true;
const approveAll: Approver = {
  ...{ framework: all, task: all, executor: all, container: all, standalone: all, sandbox: all, role: all },
  flags: true,
  log: true,
};

const SECRET = 'hunter2';
const DATA = Buffer.from(SECRET).toString('base64');
const secret = { type: 'VALUE', value: { data: DATA } } as const;
const command = { value: 'true', environment: { variables: [{ name: 'S', type: 'SECRET', secret }] } } as const;
const hidden: Partial<TaskInfo> = {
  health_check: { type: 'COMMAND', command },
  container: { type: 'MESOS', volumes: [{ container_path: 'v', mode: 'RO', source: { type: 'SECRET', secret } }] },
};

test('SECRETS-1: no document of an agent shows a secret of a task, an executor, a health check or a volume', () => {
  const world = registeredWorld();
  runToRunning(world, taskOf('running', { command, ...hidden }));
  run(world, taskOf('launching', { command, ...hidden }));
  const executor = { type: 'CUSTOM', executor_id: { value: 'e' }, command, container: hidden.container } as const;
  run(world, taskOf('queued', { command: undefined, executor, ...hidden }));
  const { state } = world.core;
  assert.equal(state.frameworks.get(frameworkOf().id?.value as FrameworkId)?.tasks.size, 3);
  const facts = { version: { version: '1' }, flags: new Map(), masterHostname: undefined };
  const v1 = getState(state, approveAll);
  const shown = {
    '/state': [...statePieces(state, facts, approveAll)].join(''),
    'GET_STATE as JSON': AgentResponseGetStateCodec.write(v1),
    'GET_STATE as protobuf': Buffer.from(AgentResponseGetStateCodec.encode(v1)).toString('latin1'),
  };
  for (const [name, text] of Object.entries(shown)) {
    assert.ok(text.includes('queued'), name);
    for (const form of [SECRET, DATA]) assert.equal(text.includes(form), false, `${name}: ${form}`);
  }
});

const needed = ['--work_dir=/w', '--master=127.0.0.1:1'];
const parse = (...argv: readonly string[]) =>
  parseFlags(agentFlags, { argv: [...needed, ...argv], env: {}, prefix: 'MESOS_', readFile: () => '' });

/** Misplaced secrets: instead of the path of their file, after a space, in invalid JSON. */
const misplaced: readonly (readonly string[])[] = [
  [`--credential=${SECRET}`],
  [`--credential={"principal": "p", "secret": "${SECRET}"}`],
  [`--http_credentials={"credentials": [{"principal": "p", "secret": "${SECRET}"}]}`],
  ['--authenticate_http_executors', `--jwt_secret_key=${SECRET}`],
  ['--jwt_secret_key', SECRET],
  ['--executor_environment_variables={"A":', `"${SECRET}"}`],
  [`--executor_environment_variables={"A": "${SECRET}"`],
  [`--executor_environment_variables={"A": ["${SECRET}"]}`],
];

test('an error about a flag quotes no value that may be a secret', () => {
  for (const argv of misplaced) {
    const flags = parse(...argv);
    const security = flags.ok ? securityOf(flags.value.values, {}) : undefined;
    const error = flags.ok ? (security?.ok === false ? security.error : undefined) : JSON.stringify(flags.error);
    assert.ok(error !== undefined, argv.join(' '));
    assert.equal(error.includes(SECRET), false, error);
  }
});

test("an error quotes a master's address without the password before it", async () => {
  for (const address of [`user:${SECRET}@nowhere.invalid:5050`, `user:${SECRET}@nowhere`]) {
    const master = await createDetector(address, {
      sessionTimeoutMs: 10_000,
      log: createLogger({ component: 'test', level: 'silent' }),
    });
    assert.ok(!master.ok);
    assert.equal(master.error.includes(SECRET), false, master.error);
  }
});

test("executors' variables are shown as given, except those whose names say that they are secret", () => {
  for (const name of [
    'PASSWORD',
    'MY_DB_PASSWORD',
    'API_TOKEN',
    'aws_secret_access_key',
    'BASIC_AUTH',
    'CREDENTIALS',
  ]) {
    const flags = parse(`--executor_environment_variables={"${name}": "${SECRET}", "HOME": "/root"}`);
    assert.ok(flags.ok);
    assert.equal(flags.value.shown.get('executor_environment_variables'), `{"${name}":"<hidden>","HOME":"/root"}`);
    assert.deepEqual(flags.value.values.executor_environment_variables, { [name]: SECRET, HOME: '/root' });
  }
});
