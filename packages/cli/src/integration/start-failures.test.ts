// A daemon that cannot start prints one line that names the flag and its value, without a stack trace, and exits with 1.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

const END_TIMEOUT_MS = 60_000;
const directory = mkdtempSync(join(tmpdir(), 'meseta-start-'));
const at = (name: string): string => join(directory, name);
const taken = createServer();
let takenPort = 0;

before(async () => {
  writeFileSync(at('text'), 'text');
  mkdirSync(at('open'));
  chmodSync(at('open'), 0o777);
  mkdirSync(at('links'));
  for (const name of ['master', 'agent']) symlinkSync(at('text'), join(at('links'), `mesos-${name}.INFO`));
  for (const store of ['damaged-master/registry', 'damaged-agent/meta/checkpoint']) {
    mkdirSync(at(store), { recursive: true });
    writeFileSync(join(at(store), 'data.mdb'), 'text');
  }
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  takenPort = (taken.address() as AddressInfo).port;
});

after(() => {
  taken.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly lines: readonly string[];
}

async function run(name: Daemon, flags: readonly string[]): Promise<Ended> {
  const argv = [join(process.cwd(), 'bin/meseta'), name, ...flags];
  const env = { PATH: process.env['PATH'] };
  const child = spawn(process.execPath, argv, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: END_TIMEOUT_MS });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (part) => {
    stdout += part;
  });
  child.stderr.on('data', (part) => {
    stderr += part;
  });
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { status, stdout, lines: stderr.trimEnd().split('\n') };
}

type Daemon = 'master' | 'agent';

/** Flags with which the daemon starts; a row replaces one of them. */
const USUAL: Readonly<Record<Daemon, () => Readonly<Record<string, string>>>> = {
  master: () => ({ port: '0', work_dir: at('master') }),
  agent: () => ({
    port: '0',
    master: '127.0.0.1:1',
    work_dir: at('agent'),
    runtime_dir: at('run'),
    fetcher_cache_dir: at('cache'),
    resources: 'cpus:1;mem:64;disk:64;ports:[]',
  }),
};

/** `{}` stands for the flag's value. */
type Row = readonly [flag: string, value: () => string, says: string];

const BOTH: readonly Row[] = [
  ['port', () => '70000', 'Flag --port: expected a whole number from 0 to 65535, got "{}"'],
  ['port', () => String(takenPort), "Flags --ip, --port: can't listen on 127.0.0.1:{}: listen EADDRINUSE"],
  ['ip', () => 'nowhere', 'Flag --ip: expected an IP address, got "{}"'],
  ['logging_level', () => 'constructor', 'Flag --logging_level: expected INFO or WARNING or ERROR, got "{}"'],
  ['no_such_flag', () => 'x', 'Unknown flag --no_such_flag'],
  ['acls', () => `file://${at('missing')}`, `Flag --acls: can't read ${at('missing')}: ENOENT`],
  ['acls', () => `file://${directory}`, `Flag --acls: can't read ${directory}: EISDIR`],
  ['acls', () => 'file:///dev/zero', "Flag --acls: can't read /dev/zero: it is longer than"],
  ['acls', () => `file://${at('text')}`, 'Flag --acls: expected JSON'],
  ['log_dir', () => '/proc/logs', 'Flag --log_dir: the log {}/mesos-'],
  ['log_dir', () => at('text'), 'Flag --log_dir: the log {}/mesos-'],
  ['log_dir', () => at('links'), 'Flag --log_dir: the log {}/mesos-'],
  ['work_dir', () => at('open'), 'Flag --work_dir: {} can be written to by others than its owner (mode 777)'],
  ['work_dir', () => '/proc/work', "Flag --work_dir: ENOENT: no such file or directory, mkdir '{}'"],
  ['work_dir', () => at('text'), 'Flag --work_dir: {}'],
];

const ROWS: Readonly<Record<Daemon, readonly Row[]>> = {
  master: [
    ...BOTH,
    [
      'work_dir',
      () => at('damaged-master'),
      "Flag --work_dir: the registry can't be opened: {}/registry/data.mdb is damaged",
    ],
    ['credentials', () => at('missing'), "Flag --credentials: can't read {} (ENOENT)"],
    ['role_sorter', () => 'luck', 'Flag --role_sorter: expected drf or random, got "{}"'],
    ['weights', () => 'a=-1', 'Flag --weights: expected role=weight with a weight above 0, got "{}"'],
    ['agent_reregister_timeout', () => '1mins', 'Flag --agent_reregister_timeout: expected at least 10mins, got {}'],
    ['domain', () => '5', 'Flag --domain: mesos.v1.DomainInfo: expected an object, found {}'],
  ],
  agent: [
    ...BOTH,
    ['work_dir', () => at('damaged-agent'), 'Flag --work_dir: {}/meta/checkpoint/data.mdb is damaged'],
    ['runtime_dir', () => at('text'), 'Flag --runtime_dir: {}: expected a directory'],
    [
      'fetcher_cache_dir',
      () => '/proc/cache',
      "Flag --fetcher_cache_dir: ENOENT: no such file or directory, mkdir '{}'",
    ],
    ['master', () => 'nowhere', 'Flag --master: expected host:port, got "{}"'],
    ['credential', () => at('missing'), "Flag --credential: can't read {} (ENOENT)"],
    ['resources', () => 'cpus:many', 'Flag --resources: cpus: expected a number >= 0, [ranges] or {a set}, got many'],
    ['gc_disk_headroom', () => '2', 'Flag --gc_disk_headroom: expected a number from 0 to 1, got {}'],
  ],
};

for (const name of ['master', 'agent'] as const) {
  describe(`${name} that can't start`, { concurrency: 2 }, () => {
    for (const [flag, makeValue, says] of ROWS[name]) {
      test(`says so in one line and exits with 1: ${says}`, async () => {
        const value = makeValue();
        const flags = Object.entries({ ...USUAL[name](), [flag]: value }).map(([key, each]) => `--${key}=${each}`);
        const { status, stdout, lines } = await run(name, flags);
        assert.deepEqual([status, stdout], [1, ''], lines.join('\n'));
        const failures = lines.filter((line) => !/^\S+ \S+ (?:INFO|WARNING) /.test(line));
        assert.equal(failures.length, 1, lines.join('\n'));
        assert.equal(failures[0], lines.at(-1));
        const expected = says.replace('{}', value);
        assert.ok(lines.at(-1)?.includes(expected), `expected: ${expected}\n${lines.join('\n')}`);
      });
    }
  });
}
