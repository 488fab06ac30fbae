// The documents of a large cluster, rendered in this process without sockets: the CPU of each view the first time and without
// a change since, with JSON.stringify of the same document as the baseline, and the longest piece, which blocks the event
// loop. The state is made by the master's core from decoded messages, so that its records have realistic shapes.
// Usage: npm run bench -- state/writers [--tasks=N]
import type { Pid, Result } from '@meseta/base';
import { createWorld, type TestScheduler, task, type World } from '@meseta/master/core/testing';
import { approveAll } from '@meseta/master/views/approver';
import type { Document, Remembered } from '@meseta/master/views/runs';
import { snapshotOf } from '@meseta/master/views/snapshot';
import { stateDocument } from '@meseta/master/views/v0-state';
import { stateCallDocument } from '@meseta/master/views/v1-state';
import type { LibprocessMessage, Offer, SchedulerCall } from '@meseta/wire';
import { SchedulerCallCodec } from '@meseta/wire/codecs';
import { decodeMessage, encodeMessage } from '@meseta/wire/libprocess-codec';
import { JSON_TYPE, PROTOBUF_TYPE } from '@meseta/wire/media';
import { statusUpdate } from '../lib/emulated-agent.js';
import { formatNumber } from '../lib/statistics.js';

const option = process.argv.find((word) => word.startsWith('--tasks='));
/** The number of running tasks, and of completed ones. */
const TASKS = Number(option?.slice('--tasks='.length) ?? 10_000);
const TASKS_PER_AGENT = 10;
const TIMES = 7;
/** The shortest time is the one least disturbed by other work. */
const best = (times: readonly number[]): number => Math.min(...times);

function decoded<T>(result: Result<T, unknown>): T {
  if (!result.ok) throw new Error(`a message that can't be read: ${JSON.stringify(result.error)}`);
  return result.value;
}

function call(world: World, { id, stream }: TestScheduler, body: SchedulerCall): void {
  const bytes = SchedulerCallCodec.encode({ framework_id: { value: id }, ...body });
  world.scheduler(decoded(SchedulerCallCodec.decode(bytes)), stream);
}

function receiveMessage(world: World, from: Pid, message: LibprocessMessage): void {
  const { wireName, bytes } = encodeMessage(message);
  world.feed({ kind: 'message', from, message: decoded(decodeMessage(wireName, bytes)) });
}

/** Accepts the offer with tasks that run, and finish if `ends`. */
function launchTasks(
  world: World,
  scheduler: TestScheduler,
  pid: Pid,
  offer: Offer,
  ids: readonly string[],
  ends: boolean,
) {
  const task_infos = ids.map((id) => task(id, offer));
  const operations = [{ type: 'LAUNCH' as const, launch: { task_infos } }];
  const accept = { offer_ids: [offer.id], operations, filters: { refuse_seconds: 3600 } };
  call(world, scheduler, { type: 'ACCEPT', accept });
  const agentId = offer.agent_id.value;
  for (const taskId of ids) {
    for (const state of ends ? (['TASK_RUNNING', 'TASK_FINISHED'] as const) : (['TASK_RUNNING'] as const)) {
      const body = statusUpdate({ taskId, agentId, frameworkId: scheduler.id, state, pid });
      receiveMessage(world, pid, { name: 'StatusUpdateMessage', body });
      const { status } = body.update;
      const uuid = status.uuid ?? '';
      call(world, scheduler, {
        type: 'ACKNOWLEDGE',
        acknowledge: { agent_id: offer.agent_id, task_id: status.task_id, uuid },
      });
    }
  }
}

function fill(world: World, agents: ReadonlyMap<string, Pid>, name: string, ends: boolean): void {
  const scheduler = world.subscribe({ name });
  let count = 0;
  while (count < TASKS) {
    if (!scheduler.has('OFFERS')) world.wait(1000);
    for (const offer of scheduler.take('OFFERS').offers?.offers ?? []) {
      const pid = agents.get(offer.agent_id.value);
      if (pid === undefined) throw new Error('an offer of an unknown agent');
      const ids = Array.from({ length: TASKS_PER_AGENT }, () => `${name}-${count++}`);
      launchTasks(world, scheduler, pid, offer, ids, ends);
    }
    world.effects.length = 0;
    world.notes.length = 0;
    scheduler.events.length = 0;
  }
  if (ends) call(world, scheduler, { type: 'SUPPRESS', suppress: {} });
}

function cluster(): World {
  const world = createWorld({ maxCompletedTasksPerFramework: TASKS });
  const agents = new Map<string, Pid>();
  for (let at = 0; at < TASKS / TASKS_PER_AGENT; at++) {
    const pid = `slave(1)@10.${at >> 8}.${at & 255}.1:5051`;
    const agent = world.agent('cpus:24;mem:4096;disk:8192;ports:[31000-31999]', { pid });
    agents.set(agent.id, agent.pid);
  }
  fill(world, agents, 'batch', true);
  fill(world, agents, 'service', false);
  return world;
}

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

interface Written {
  readonly parts: readonly Uint8Array[];
  readonly remembered: Remembered;
}

/** `before` is called before each piece. */
function write(document: Document, before: () => void = () => {}): Written {
  const parts: Uint8Array[] = [];
  for (;;) {
    before();
    const { done, value } = document.next();
    if (done === true) return { parts, remembered: value };
    parts.push(typeof value === 'string' ? Buffer.from(value) : value);
  }
}

function timed<T>(times: number[], action: () => T): T {
  const begun = cpuMs();
  const result = action();
  times.push(cpuMs() - begun);
  return result;
}

function longestMs(document: Document): number {
  let most = 0;
  let last: number | undefined;
  write(document, () => {
    const now = cpuMs();
    most = Math.max(most, now - (last ?? now));
    last = now;
  });
  return most;
}

function measure(name: string, start: (earlier: Remembered | undefined) => Document): void {
  const first: number[] = [];
  const again: number[] = [];
  const bare: number[] = [];
  const longest: number[] = [];
  let bytes = 0;
  for (let at = 0; at < TIMES; at++) {
    const { parts, remembered } = timed(first, () => write(start(undefined)));
    timed(again, () => write(start(remembered)));
    longest.push(longestMs(start(undefined)));
    const document = Buffer.concat(parts);
    bytes = document.length;
    if (name.endsWith('protobuf')) continue;
    const parsed = JSON.parse(document.toString()) as unknown;
    timed(bare, () => JSON.stringify(parsed));
  }
  const columns = [first, again, bare, longest].map((times) => formatNumber(best(times)).padStart(12));
  console.log(`${name.padEnd(24)}${formatNumber(bytes / 1e6).padStart(8)}${columns.join('')}`);
}

const { state } = cluster().master;
const { info } = state.identity;
const facts = { build: { version: '1.12.0' }, info, startedAtMs: 0, cluster: undefined, flags: new Map() };
console.log(`${''.padEnd(24)}      MB first (ms)  again (ms)   stringify longest (ms)`);
measure('/state', (earlier) => stateDocument(state, snapshotOf(state), facts, approveAll, earlier));
for (const [name, type] of [
  ['GET_STATE as JSON', JSON_TYPE],
  ['GET_STATE as protobuf', PROTOBUF_TYPE],
] as const) {
  measure(name, (earlier) => stateCallDocument('GET_STATE', type, snapshotOf(state), approveAll, earlier));
}
