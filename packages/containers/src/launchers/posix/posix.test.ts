import assert from 'node:assert/strict';
import { chmodSync, chownSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { type ContainerId, present } from '@meseta/base';
import { until } from '@meseta/platform/testing/until';
import type { CommandInfo, Resource } from '@meseta/wire';
import type { Usage } from '../../isolators/isolator.js';
import { FIRST_CONNECTION_TIMEOUT_MS } from '../../supervisor/service.js';
import {
  alive,
  events,
  forgetEvents,
  next,
  nextEvent,
  output,
  path,
  read,
  root,
  spec,
  start,
  untilDead,
  untilFile,
} from '../../testing/launcher.js';
import type { ExitStatus, Probe } from '../../types.js';

const ends: readonly [string, CommandInfo, ExitStatus][] = [
  ['zero', { value: 'true' }, { kind: 'exited', code: 0 }],
  ['three', { value: 'exit 3' }, { kind: 'exited', code: 3 }],
  ['code-of-a-signal', { value: 'exit 137' }, { kind: 'exited', code: 137 }],
  ['code-of-interrupt', { value: 'exit 130' }, { kind: 'exited', code: 130 }],
  ['highest', { value: 'exit 255' }, { kind: 'exited', code: 255 }],
  ['kill', { value: 'kill -KILL $$' }, { kind: 'signaled', signal: 9 }],
  ['term', { value: 'kill -TERM $$' }, { kind: 'signaled', signal: 15 }],
  ['segv', { value: 'kill -SEGV $$' }, { kind: 'signaled', signal: 11 }],
  ['missing', { shell: false, value: '/no/such/thing', arguments: ['thing'] }, { kind: 'exited', code: 127 }],
];

test('POSIX-1: every container ends once, with its exact status', async () => {
  const containers = await start();
  for (const [id, command] of ends) containers.launch(spec(id, command));
  for (const [id, , status] of ends) {
    assert.deepEqual((await next('exited', id)).status, status, id);
    const kinds = events.filter((event) => event.containerId === id).map((event) => event.kind);
    assert.deepEqual(kinds, ['started', 'exited'], id);
  }
});

test('CHILDREN-1: a command gets exactly its environment, arguments, directory, three descriptors and default signals', async () => {
  const containers = await start();
  const environment: Record<string, string> = {
    PATH: path,
    A_b: `it's "$HOME" \`id\`\n\\end\nEND\n`,
    EMPTY: '',
    IFS: 'x',
    "A'b": 'c',
    'with-dash': '',
    '-i': 'dash',
  };
  const env = spec('env', { shell: false, value: 'env', arguments: ['env', '-0'] }, { environment });
  const words = ['sh', '-c', 'printf "%s|" "$@"', 'x', '$(id)', "a'b", '', '-n', 'a\nb', '*'];
  const argv = spec('argv', { shell: false, value: '/bin/sh', arguments: words });
  const name = spec('name', { shell: false, value: '/bin/sh', arguments: ['other', '-c', 'echo "$0"; pwd'] });
  const signals = spec('signals', { value: 'grep SigIgn /proc/self/status; cat; ls /proc/self/fd' });
  for (const it of [env, argv, name, signals]) containers.launch(it);
  for (const id of ['env', 'argv', 'name', 'signals']) await next('exited', id);
  const seen = Object.fromEntries(
    output(env)
      .split('\0')
      .slice(0, -1)
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  assert.deepEqual(seen, environment);
  assert.equal(output(argv), `${words.slice(4).join('|')}|`);
  assert.equal(output(name), `other\n${name.sandbox}\n`);
  const [ignored, ...descriptors] = output(signals).trim().split('\n');
  assert.equal(ignored, 'SigIgn:\t0000000000000000');
  // ls reads its directory by descriptor 3.
  assert.deepEqual(descriptors, ['0', '1', '2', '3']);
});

test('a signal reaches every process of a container, those in other sessions too', async () => {
  const containers = await start();
  const it = spec('tree', { value: 'sleep 600 & setsid sleep 600 & echo $! >inner; wait; sleep 600' });
  containers.launch(it);
  const { pid } = await next('started', 'tree');
  const inner = Number(await untilFile(`${it.sandbox}/inner`));
  containers.signal(it.containerId, 15);
  assert.deepEqual((await next('exited', 'tree')).status, { kind: 'signaled', signal: 15 });
  assert.equal(alive(pid), false);
  await untilDead(inner);
});

test('SIGINT that is sent before the command runs ends it as a signal', async () => {
  const containers = await start();
  const it = spec('interrupt', { shell: false, value: 'sleep', arguments: ['sleep', '600'] });
  containers.launch(it);
  containers.signal(it.containerId, 2);
  assert.deepEqual((await next('exited', 'interrupt')).status, { kind: 'signaled', signal: 2 });
});

test('POSIX-1: a container that is destroyed during its fetch ends as a failed launch', async () => {
  const containers = await start();
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const uri = { value: `http://127.0.0.1:${(server.address() as AddressInfo).port}/x` };
  const it = spec('fetching', { value: 'true' }, { uris: [uri] });
  containers.launch(it);
  await new Promise((resolve) => server.once('request', resolve));
  containers.destroy(it.containerId);
  while (events.length === 0) await nextEvent();
  server.closeAllConnections();
  server.close();
  assert.deepEqual(events, [
    {
      kind: 'launchFailed',
      containerId: 'fetching',
      stage: 'fetch',
      message: `Failed to fetch '${uri.value}': stopped`,
    },
  ]);
});

test('PROBES-2: a probe runs a command in the sandbox and kills its process group at the timeout; HTTP and TCP probes', async () => {
  const containers = await start();
  const it = spec('probed', { value: 'sleep 600' });
  containers.launch(it);
  await next('started', 'probed');
  const command = (value: string): Probe => ({
    kind: 'command',
    command: { value },
    environment: { PATH: path, A: 'b' },
  });
  const probe = (wanted: Probe, timeoutMs = 5000) => containers.probe(it.containerId, wanted, timeoutMs);
  const status = (code: number) => ({ kind: 'command', status: { kind: 'exited', code } });
  assert.deepEqual(await probe(command('[ "$A" = b ] && pwd >where; exit 7')), status(7));
  assert.equal(read(`${it.sandbox}/where`), `${it.sandbox}\n`);
  assert.deepEqual(await probe(command('sleep 600 & echo $! >child; wait'), 300), { kind: 'timedOut' });
  await untilDead(Number(read(`${it.sandbox}/child`)));
  // A check whose timeout is 0 has none, and the core sends the largest number.
  assert.deepEqual(await probe(command('sleep 0.1; exit 7'), Number.MAX_SAFE_INTEGER), status(7));

  const server = createServer((request, response) => {
    if (request.url === '/silent') return;
    if (request.url === '/moved') response.writeHead(302, { location: '/gone' }).end();
    else response.writeHead(request.url === '/up' ? 204 : 410).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const http = (where: string): Probe => ({ kind: 'http', scheme: 'http', port, path: where, ipv6: false });
  assert.deepEqual(await probe(http('/up')), { kind: 'http', statusCode: 204 });
  assert.deepEqual(await probe(http('/moved')), { kind: 'http', statusCode: 410 });
  assert.deepEqual(await probe(http('/silent'), 50), { kind: 'timedOut' });
  assert.deepEqual(await probe({ kind: 'tcp', port, ipv6: false }), { kind: 'tcp', succeeded: true });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  assert.deepEqual(await probe({ kind: 'tcp', port, ipv6: false }), { kind: 'tcp', succeeded: false });
  assert.equal((await probe(http('/up'))).kind, 'failed');
  containers.destroy(it.containerId);
  await next('exited', 'probed');
  assert.equal((await probe(command('true'))).kind, 'failed');
});

test('the usage of a container has its processes, their memory, and the disk usage of the sandbox', async () => {
  const containers = await start();
  const value = 'dd if=/dev/zero of=file bs=1024 count=200 2>/dev/null; sleep 600 & echo >ready; wait';
  const disk: Resource = { name: 'disk', type: 'SCALAR', scalar: { value: 100 } };
  const it = spec('used', { value }, { resources: [disk] });
  containers.launch(it);
  await next('started', 'used');
  await untilFile(`${it.sandbox}/ready`);
  let used: Usage = {};
  // The sandbox is measured at an interval.
  await until('it is measured', async () => {
    used = present(await containers.usage(it.containerId), 'usage');
    return (used.disk_used_bytes ?? 0) >= 200 * 1024;
  });
  assert.deepEqual([used.processes, used.threads], [2, 2]);
  assert.ok((used.mem_rss_bytes ?? 0) > 100_000 && (used.mem_rss_bytes ?? 0) < 50_000_000);
  assert.equal(used.disk_limit_bytes, 100 * 2 ** 20);
  containers.destroy(it.containerId);
  await next('exited', 'used');
  assert.equal(await containers.usage(it.containerId), undefined);
  containers.remove(it.containerId);
});

const asRoot = { skip: process.getuid?.() !== 0 };

test("a container runs as its user, with that user's groups and exactly the limits of its spec", asRoot, async () => {
  const containers = await start();
  chmodSync(root, 0o711);
  const rlimits = { rlimits: [{ type: 'RLMT_NOFILE' as const, soft: 100, hard: 123 }] };
  const it = spec('user', { value: 'id -un; id -Gn; ulimit -Sn; ulimit -Hn; touch mine' }, { user: 'nobody', rlimits });
  chownSync(it.sandbox, 65534, 65534);
  containers.launch(it);
  assert.deepEqual((await next('exited', 'user')).status, { kind: 'exited', code: 0 });
  assert.equal(output(it), 'nobody\nnogroup\n100\n123\n');
  assert.equal(statSync(`${it.sandbox}/stdout`).uid, 65534);
  containers.launch(spec('nobody-knows', { value: 'true' }, { user: 'no-such-user' }));
  while (!events.some((event) => event.kind === 'launchFailed')) await nextEvent();
  const failed = present(
    events.find((event) => event.kind === 'launchFailed'),
    'event',
  );
  assert.match(failed.kind === 'launchFailed' ? failed.message : '', /user "no-such-user": no such user/);
});

test(
  "PROBES-1: a probe's command runs as the container's user with that user's groups, whichever user it names",
  asRoot,
  async () => {
    const containers = await start();
    chmodSync(root, 0o711);
    const it = spec('of-nobody', { value: 'sleep 600' }, { user: 'nobody' });
    chownSync(it.sandbox, 65534, 65534);
    containers.launch(it);
    await next('started', 'of-nobody');
    const seen = 'printf "%s " $(id -un) $(id -Gn) $A >seen';
    const wanted = {
      kind: 'command',
      command: { value: seen, user: 'root' },
      environment: { PATH: path, A: 'b' },
    } as const;
    const status = { kind: 'command', status: { kind: 'exited', code: 0 } };
    assert.deepEqual(await containers.probe(it.containerId, wanted, 5000), status);
    assert.equal(read(`${it.sandbox}/seen`), 'nobody nogroup b ');
    containers.destroy(it.containerId);
    await next('exited', 'of-nobody');
  },
);

test('CHILDREN-4: no program that runs as another user loads the libraries that a task preloads', asRoot, async () => {
  const containers = await start();
  chmodSync(root, 0o711);
  const environment = {
    PATH: path,
    LD_PRELOAD: '/no/such/library.so',
    PERL5OPT: '-Mno_such_module',
    ENV: '/no/such',
  };
  const it = spec('preload', { value: 'id -un' }, { user: 'nobody', environment });
  chownSync(it.sandbox, 65534, 65534);
  containers.launch(it);
  assert.deepEqual((await next('exited', 'preload')).status, { kind: 'exited', code: 0 });
  assert.equal(output(it), 'nobody\n');
  // The loader writes an error for each program that gets the variable: the shell and id.
  assert.ok(
    output(it, 'stderr')
      .split('\n')
      .filter((line) => line.includes('library.so')).length <= 2,
  );
});

test('destroy ends every process of a task that ignores signals', async () => {
  const containers = await start();
  const stubborn =
    'trap "" TERM INT HUP; (trap "" TERM; setsid sleep 600 & sleep 600) & echo $! >inner; while :; do sleep 1; done';
  const it = spec('stubborn', { value: stubborn });
  containers.launch(it);
  const { pid } = await next('started', 'stubborn');
  await untilFile(`${it.sandbox}/inner`);
  containers.destroy(it.containerId);
  assert.deepEqual((await next('exited', 'stubborn')).status, { kind: 'signaled', signal: 9 });
  assert.equal(alive(pid) || alive(Number(read(`${it.sandbox}/inner`))), false);
});

test('ENDINGS-1: processes that a task leaves in its session are killed before its end is reported', async () => {
  const containers = await start();
  const it = spec('leaves', { value: 'sleep 600 & echo $! >inner; exit 4' });
  containers.launch(it);
  assert.deepEqual((await next('exited', 'leaves')).status, { kind: 'exited', code: 4 });
  assert.equal(alive(Number(read(`${it.sandbox}/inner`))), false);
});

test('POSIX-2, SUPERVISOR-1: containers outlive the launcher and are recovered with their exact statuses', async () => {
  const first = await start();
  const go = (name: string): string => `until [ -e ../${name} ]; do sleep 0.02; done`;
  const specs = [
    spec('later', { value: `${go('go-later')}; exit 5` }),
    spec('meanwhile', { value: `${go('go-meanwhile')}; exit 6` }),
    spec('killed', { value: `${go('go-killed')}; kill -KILL $$` }),
  ];
  for (const it of specs) first.launch(it);
  for (const it of specs) await next('started', it.containerId);
  await first.close();
  forgetEvents();
  writeFileSync(`${root}/go-meanwhile`, '');
  writeFileSync(`${root}/go-killed`, '');
  for (const id of ['meanwhile', 'killed']) {
    await untilFile(`${root}/run/containers/${id}.record`, (text) => /^(exited|signaled) .*\n/m.test(text));
  }

  const second = await start();
  const found = new Map((await second.recover()).map((it) => [it.containerId as string, it]));
  assert.equal(present(found.get('later'), 'later').state, 'running');
  // Their ends may be reported only now: after the end of a first process the supervisor looks for others.
  const statusOf = async (id: string): Promise<ExitStatus> => {
    const it = present(found.get(id), id);
    return it.state === 'ended' ? it.status : (await next('exited', id)).status;
  };
  assert.deepEqual(await statusOf('meanwhile'), { kind: 'exited', code: 6 });
  assert.deepEqual(await statusOf('killed'), { kind: 'signaled', signal: 9 });
  const probe = await second.probe(
    'later' as ContainerId,
    { kind: 'command', command: { value: 'exit 9' }, environment: { PATH: path } },
    5000,
  );
  assert.deepEqual(probe, { kind: 'command', status: { kind: 'exited', code: 9 } });
  writeFileSync(`${root}/go-later`, '');
  assert.deepEqual((await next('exited', 'later')).status, { kind: 'exited', code: 5 });
});

test('an exit with status 130 is told from SIGINT', async () => {
  const containers = await start();
  const it = spec('handled', { value: 'trap "exit 130" INT; echo >ready; while :; do sleep 0.02; done' });
  containers.launch(it);
  await next('started', 'handled');
  await untilFile(`${it.sandbox}/ready`);
  containers.signal(it.containerId, 2);
  assert.deepEqual((await next('exited', 'handled')).status, { kind: 'exited', code: 130 });
});

function parentOf(pid: number): number {
  const parent = Number(/^PPid:\s+(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1]);
  assert.ok(parent > 1);
  return parent;
}

test('a supervisor without an agent and a live container ends at once, however young it is', async () => {
  const containers = await start();
  containers.launch(spec('last', { value: 'sleep 600' }));
  const supervisor = parentOf((await next('started', 'last')).pid);
  containers.destroy('last' as ContainerId);
  await next('exited', 'last');
  await containers.close();
  await untilDead(supervisor, FIRST_CONNECTION_TIMEOUT_MS / 2);
});

test('SUPERVISOR-2, CLIENT-1: when a supervisor is killed, its task runs on and ends without a status, and other containers are launched', async () => {
  const containers = await start();
  const orphan = spec('orphan', { value: 'until [ -e ../go-orphan ]; do sleep 0.02; done; echo done; exit 7' });
  containers.launch(orphan);
  const { pid } = await next('started', 'orphan');
  const supervisor = parentOf(pid);
  process.kill(supervisor, 'SIGKILL');
  await untilDead(supervisor);
  assert.ok(alive(pid));
  containers.launch(spec('another', { value: 'exit 3' }));
  assert.deepEqual((await next('exited', 'another')).status, { kind: 'exited', code: 3 });
  assert.equal(
    events.some((event) => event.kind === 'exited' && event.containerId === 'orphan'),
    false,
  );
  writeFileSync(`${root}/go-orphan`, '');
  assert.deepEqual((await next('exited', 'orphan')).status, { kind: 'unknown' });
  assert.equal(output(orphan), 'done\n');
});
