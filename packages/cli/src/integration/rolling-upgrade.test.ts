// A cluster of three masters and two agents is upgraded one daemon at a time while tasks run, and one of each kind is downgraded
// again. The older program is this one with an older version and without the newest capabilities of agents. Stores that a newer
// version wrote are refused.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openEnvironment } from '@meseta/coordination';
import { coordinatorAt } from '@meseta/coordination/coordinator';
import { skipWithout, testServer } from '@meseta/coordination/testing/servers';
import { until } from '@meseta/platform/testing/until';
import {
  commandTask,
  connectMaster,
  connectScheduler,
  launch,
  type MasterClient,
  type Offer,
  type Scheduler,
} from '@meseta/sdk';
import {
  type DaemonKind,
  type DaemonProcess,
  loopbackFlags,
  startDaemonProcess,
  untilHealthy,
} from '../daemon-process.js';
import { freePort } from '../testing/daemons.js';

const CURRENT = [join(process.cwd(), 'bin/meseta')] as const;
const CURRENT_VERSION = '1.12.0';
const OLDER_VERSION = '1.9.0';
/** The capabilities that Mesos' agents of that version did not have. */
const NEWER_CAPABILITIES = ['AGENT_OPERATION_FEEDBACK', 'AGENT_DRAINING', 'TASK_RESOURCE_LIMITS'];

const directory = mkdtempSync(join(tmpdir(), 'meseta-rolling-'));
// Below the checkout, where its external packages are found.
const olderProgram = join(process.cwd(), '.build', `older-${process.pid}`);
after(() => {
  for (const path of [directory, olderProgram]) rmSync(path, { recursive: true, force: true });
});

type Command = readonly [string, ...string[]];

/** Builds the older program. */
function buildOlder(): Command {
  execFileSync(process.execPath, ['scripts/build.mjs', `--outdir=${olderProgram}`], { stdio: 'pipe' });
  const changes: readonly (readonly [from: RegExp, to: string])[] = [
    [new RegExp(`version: "${CURRENT_VERSION}"`, 'g'), `version: "${OLDER_VERSION}"`],
    [new RegExp(`,\\s*${NEWER_CAPABILITIES.map((it) => `"${it}"`).join(',\\s*')}\\s*\\]\\.map`, 'g'), '].map'],
  ];
  const found = changes.map(() => 0);
  for (const name of readdirSync(join(olderProgram, 'chunks'))) {
    if (!name.endsWith('.mjs')) continue;
    const path = join(olderProgram, 'chunks', name);
    let text = readFileSync(path, 'utf8');
    for (const [n, [from, to]] of changes.entries()) {
      found[n] = (found[n] ?? 0) + (text.match(from) ?? []).length;
      text = text.replace(from, to);
    }
    writeFileSync(path, text);
  }
  assert.ok(
    found.every((count) => count > 0),
    `the texts to replace occur ${found.join(', ')} times`,
  );
  return [process.execPath, join(olderProgram, 'meseta.mjs')];
}

interface Node {
  readonly kind: DaemonKind;
  readonly name: string;
  readonly port: number;
  readonly flags: readonly string[];
  daemon: DaemonProcess | undefined;
}

async function start(node: Node, command: Command): Promise<void> {
  const { kind, name, port, flags } = node;
  const logFile = join(directory, `${name}.log`);
  const all = [...loopbackFlags(kind, port, join(directory, name)), ...flags];
  node.daemon = startDaemonProcess({ kind, command, flags: all, logFile });
  await untilHealthy(node.daemon, `127.0.0.1:${port}`, 120_000);
}

/** SIGTERM: the tasks of an agent run on. */
const stop = (node: Node): Promise<void> | undefined => node.daemon?.stop({ signal: 'SIGTERM', timeoutMs: 60_000 });

async function nodeOf(kind: DaemonKind, name: string, flags: readonly string[]): Promise<Node> {
  return { kind, name, port: await freePort(), flags, daemon: undefined };
}

interface Seen {
  offers: Offer[];
  readonly states: Map<string, string>;
}

/** Reads the events of a framework: its offers that are not used yet, and the last states of its tasks. */
function follow(scheduler: Scheduler): { readonly seen: Seen; readonly end: Promise<void> } {
  const seen: Seen = { offers: [], states: new Map() };
  const end = (async () => {
    for await (const event of scheduler) {
      if (event.subscribed) seen.offers = [];
      seen.offers.push(...(event.offers?.offers ?? []));
      const rescinded = event.rescind?.offer_id.value;
      seen.offers = seen.offers.filter(({ id }) => id.value !== rescinded);
      const status = event.update?.status;
      if (status) seen.states.set(status.task_id.value, status.state);
    }
  })().catch(() => {});
  return { seen, end };
}

interface Cluster {
  readonly masters: readonly Node[];
  readonly agents: readonly Node[];
  readonly client: MasterClient;
  readonly scheduler: Scheduler;
  readonly seen: Seen;
  readonly launched: string[];
  stop(): Promise<void>;
}

async function startCluster(command: Command): Promise<Cluster> {
  const address = `${(await testServer('zookeeper')).url}/rolling`;
  const election = [`--zk=${address}`, '--quorum=2', '--zk_session_timeout=4secs', '--allocation_interval=100ms'];
  const flags = [`--master=${address}`, '--resources=cpus:4;mem:1024;disk:1024;ports:[31000-32000]'];
  const masters = await Promise.all([1, 2, 3].map((n) => nodeOf('master', `master-${n}`, election)));
  const agents = await Promise.all([1, 2].map((n) => nodeOf('agent', `agent-${n}`, flags)));
  for (const node of [...masters, ...agents]) await start(node, command);
  const scheduler = connectScheduler({ master: address, framework: { name: 'rolling', failover_timeout: 600 } });
  const { seen, end } = follow(scheduler);
  return {
    masters,
    agents,
    client: connectMaster(address),
    scheduler,
    seen,
    launched: [],
    async stop() {
      await scheduler.teardown().catch(() => {});
      await end;
      for (const { kind, daemon } of [...agents, ...masters])
        await daemon?.stop({ signal: kind === 'agent' ? 'SIGUSR1' : 'SIGTERM', timeoutMs: 60_000 });
    },
  };
}

async function versionsOf({ client }: Cluster): Promise<readonly string[]> {
  const agents = await client.call('GET_AGENTS');
  const active = agents.ok ? (agents.value.agents ?? []).filter((agent) => agent.active) : [];
  return active.map(({ version }) => version ?? '').sort();
}

const WAIT_MS = 120_000;

/** Launches a task on each agent. */
async function launchOnAll({ agents, scheduler, seen, launched }: Cluster, label: string): Promise<void> {
  const used = new Set<string>();
  const isOther = ({ agent_id }: Offer): boolean => !used.has(agent_id.value);
  while (used.size < agents.length) {
    await until(`${label}: an offer of another agent`, () => seen.offers.some(isOther), WAIT_MS);
    const offer = seen.offers.find(isOther) as Offer;
    const id = `${label}-${used.size}`;
    const command = `echo ran >> ${join(directory, 'runs', id)}; sleep 3600`;
    const task = commandTask(offer, { id, command, resources: { cpus: 0.2, mem: 32 } });
    seen.offers = seen.offers.filter((it) => it !== offer);
    used.add(offer.agent_id.value);
    await scheduler.call('ACCEPT', {
      accept: { offer_ids: [offer.id], operations: [launch([task])], filters: { refuse_seconds: 0 } },
    });
    await until(`${id} runs`, () => seen.states.get(id) === 'TASK_RUNNING', WAIT_MS);
    launched.push(id);
  }
}

/** All tasks run, by the master's state and the framework's updates; each was started once; the weight is kept. */
async function checkAll(cluster: Cluster, what: string): Promise<void> {
  const { client, seen, launched } = cluster;
  await until(`${what}: two agents are active`, async () => (await versionsOf(cluster)).length === 2, WAIT_MS);
  const runningTasks = async (): Promise<number> => {
    const tasks = await client.call('GET_TASKS');
    return (tasks.ok ? (tasks.value.tasks ?? []) : []).filter(({ state }) => state === 'TASK_RUNNING').length;
  };
  await until(`${what}: all tasks run`, async () => (await runningTasks()) === launched.length, WAIT_MS);
  for (const id of launched) {
    assert.equal(seen.states.get(id), 'TASK_RUNNING', `${what}: ${id}`);
    assert.equal(readFileSync(join(directory, 'runs', id), 'utf8'), 'ran\n', `${what}: ${id}`);
  }
  const weights = await client.call('GET_WEIGHTS');
  assert.deepEqual(weights.ok && weights.value.weight_infos, [{ role: 'kept', weight: 3 }], what);
}

async function replace(cluster: Cluster, node: Node, command: Command): Promise<void> {
  await stop(node);
  await start(node, command);
  await checkAll(cluster, `${node.name} with ${command.join(' ')}`);
}

test('masters and agents are upgraded one by one while tasks run, and downgraded again: no task is lost or runs twice', {
  skip: skipWithout('zookeeper'),
  timeout: 580_000,
}, async () => {
  const older = buildOlder();
  mkdirSync(join(directory, 'runs'));
  const cluster = await startCluster(older);
  const { masters, agents, client } = cluster;
  try {
    await until('both agents are registered', async () => (await versionsOf(cluster)).length === 2, WAIT_MS);
    assert.deepEqual(await versionsOf(cluster), [OLDER_VERSION, OLDER_VERSION]);
    const set = await client.call('UPDATE_WEIGHTS', { weight_infos: [{ role: 'kept', weight: 3 }] });
    assert.ok(set.ok);
    await launchOnAll(cluster, 'before');
    await checkAll(cluster, 'before');
    for (const node of masters) await replace(cluster, node, CURRENT);
    await launchOnAll(cluster, 'masters');
    for (const node of agents) await replace(cluster, node, CURRENT);
    assert.deepEqual(await versionsOf(cluster), [CURRENT_VERSION, CURRENT_VERSION]);
    await launchOnAll(cluster, 'after');
    // A downgrade by one version: the formats of the stores are the same.
    for (const node of [...masters, ...agents.slice(1)]) await replace(cluster, node, older);
    assert.deepEqual(await versionsOf(cluster), [CURRENT_VERSION, OLDER_VERSION]);
    await launchOnAll(cluster, 'downgraded');
    await checkAll(cluster, 'at the end');
  } finally {
    await cluster.stop();
  }
});

/** The end of a daemon that does not start, or ends: its status and the last line that it wrote. */
async function endOf(node: Node): Promise<readonly [status: string, lastLine: string]> {
  await start(node, CURRENT).catch(() => {});
  const status = await (node.daemon as DaemonProcess).ended;
  const lines = readFileSync(join(directory, `${node.name}.log`), 'utf8')
    .trimEnd()
    .split('\n');
  return [status, lines.at(-1) ?? ''];
}

test("a work_dir of a newer version is refused with one line and status 1, and is not changed: a master's and an agent's", {
  timeout: 240_000,
}, async () => {
  const stores: readonly (readonly [kind: DaemonKind, store: string, flags: readonly string[]])[] = [
    ['master', 'registry', []],
    ['agent', 'meta/checkpoint', ['--master=127.0.0.1:1', '--resources=cpus:1;mem:64;disk:64;ports:[]']],
  ];
  for (const [kind, store, flags] of stores) {
    const node = await nodeOf(kind, `newer-${kind}`, flags);
    const path = join(directory, node.name, store);
    mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 });
    const made = await openEnvironment(path, { oldest: 3, newest: 3 }, () => {});
    assert.ok(made.ok);
    await made.value.close();
    const before = readFileSync(join(path, 'data.mdb'));
    const [status, line] = await endOf(node);
    assert.equal(status, '1', line);
    const says = `data.mdb: it has format "3", and this version reads format 2: use the newer version that wrote it`;
    assert.ok(line.endsWith(says), line);
    assert.ok(readFileSync(join(path, 'data.mdb')).equals(before), `${kind} changed its store`);
  }
});

test('a registry in ZooKeeper of a newer version is refused with one line and status 1, and its log is not changed', {
  skip: skipWithout('zookeeper'),
  timeout: 240_000,
}, async () => {
  const address = `${(await testServer('zookeeper')).url}/newer`;
  const coordinator = coordinatorAt(address);
  assert.ok(coordinator.ok);
  const coordination = coordinator.value({ sessionTimeoutMs: 4000, warn: () => {} });
  const batch = Buffer.from('["format",2]\n{"kind":"pinAgent"}');
  const term = await coordination.contend(Buffer.from('{}'));
  assert.ok((await coordination.openLog(term).append(batch)).ok);
  await term.resign();
  const node = await nodeOf('master', 'newer-zookeeper', [`--zk=${address}`, '--quorum=1']);
  const [status, line] = await endOf(node);
  assert.equal(status, '1', line);
  const says =
    "ending: the registry can't be read: it has format 2, and this version reads formats up to 1: use the newer version that wrote it";
  assert.ok(line.endsWith(says), line);
  const contents = await coordination.readLog();
  assert.ok(contents.ok);
  assert.deepEqual(
    contents.value.batches.map((it) => Buffer.from(it).toString()),
    [batch.toString()],
  );
  await coordination.close();
});
