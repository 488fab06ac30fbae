// Stories of the master's core (testdata/*.txt): inputs, and below each input the effects that the core must give, to the
// letter. After an intended change, MESETA_STORIES=write writes the stories with the effects that the core gives now:
// review the difference like a change of the code.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Pid } from '@meseta/base';
import { snapshotOf } from '@meseta/base/testing/snapshot';
import { playStory, storyDifference, storyJson } from '@meseta/base/testing/story';
import type { FrameworkInfo, LibprocessMessage, MasterCall, SchedulerCall } from '@meseta/wire';
import { emptyRegistry } from '../registry/state.js';
import type { MasterEffect, MasterInput, RequestId, StreamId } from './io.js';
import { resumeMaster } from './machine.js';
import { createWorld, MASTER_ID, type World, type WorldOptions } from './testing.js';

const folder = 'packages/master/src/core/testdata';

function lineOf(effect: MasterEffect): string {
  switch (effect.kind) {
    case 'send': {
      const { to, from, message } = effect;
      return `${from} to ${to.join(' ')} ${message.name} ${storyJson(message.body)}`;
    }
    case 'reply':
      return `reply ${effect.request} ${effect.reply.status} ${effect.reply.text ?? ''}`.trimEnd();
    case 'event':
      return `event to ${effect.streams.join(' ')} ${storyJson(effect.event)}`;
    case 'persist':
      return `persist ${storyJson(effect.operations)}`;
    case 'note': {
      const { note } = effect;
      if (note.kind === 'log') return `${note.level}: ${note.text}`;
      const { kind, ...rest } = note;
      return `${kind} ${storyJson({ ...rest, framework: undefined })}`;
    }
    default: {
      const { kind, ...rest } = effect;
      return `${kind} ${storyJson(rest)}`;
    }
  }
}

interface Sender {
  readonly from?: Pid;
  readonly stream?: number;
  readonly principal?: string;
}

type StoryOptions = Omit<WorldOptions, 'weights' | 'roles'> & {
  /** Actions that its authorizer refuses: `ACTION` or `ACTION VALUE`. */
  readonly denied?: readonly string[];
  readonly weights?: Readonly<Record<string, number>>;
  readonly roles?: readonly string[];
};

function worldOptions({ denied = [], weights, roles, ...options }: StoryOptions): WorldOptions {
  return {
    ...options,
    ...(weights && { weights: new Map(Object.entries(weights)) }),
    ...(roles && { roles: new Set(roles) }),
    authorize: ({ action, value }) => !denied.includes(action) && !denied.includes(`${action} ${value}`),
  };
}

/** Replaces the master by one that continues from a copy of its state, with the same allocator. */
function resumeFromSnapshot(world: World): void {
  const { state } = world.master;
  const given: readonly object[] = [state.identity, state.options, state.idRandom, state.intern, state.allocator];
  // Bundles and compiled offer constraints never change.
  const isImmutable = (value: object): boolean => 'allocatedTo' in value || 'excludes' in value;
  world.master = resumeMaster(snapshotOf(state, (value) => given.includes(value) || isImmutable(value)));
}

function timerLines(world: World): readonly string[] {
  const { byKey, deadlines } = world.master.state.timers;
  const { monoMs } = world.now();
  return deadlines.heap
    .filter(({ key, generation }) => deadlines.live.get(key) === generation)
    .map(({ key, atMonoMs }) => `timer ${storyJson(byKey.get(key))} due in ${atMonoMs - monoMs} ms`)
    .sort();
}

/** The counters that changed since they were last read into `shown`, by name. */
function changedCounters({ state }: World['master'], shown: Map<string, number>): readonly string[] {
  const counters = new Map(state.counters);
  for (const { id, counters: own } of state.frameworks.values()) {
    for (const [name, value] of own) counters.set(`${id} ${name}`, value);
  }
  const changed = [...counters].filter(([name, value]) => value !== (shown.get(name) ?? 0));
  for (const [name, value] of changed) shown.set(name, value);
  return changed.map(([name, value]) => `${name} ${value}`).sort();
}

/**
 * Plays one story. The commands: `master {options}` starts a master with these options; `failover {options}` starts one
 * that takes over the registry of the master before; `elect` elects a master that was started with `waiting`;
 * `agent "RESOURCES"` registers an agent that answers pings; `subscribe {info}` subscribes a framework;
 * `call {stream, type...}` is a scheduler call, `operator {type...}` an operator call; `says {from, NAME: body}` is a
 * libprocess message; `wait MS` moves the clock; after `hold true` the store answers a batch only at `persisted`;
 * `timers` shows the timers that are set; `counters` shows the metric counters that changed since the last `counters`; any other word is the kind of an input.
 * `afterInput` is called with the world after each input.
 * `$S0`, `$F0`, `$O0` are ids of this master's agents, frameworks and offers, `$stream0` its streams.
 */
function createPlayer(
  afterInput: (world: World) => void = () => {},
): (word: string, value: unknown) => readonly string[] {
  let world: World = createWorld();
  let requests = 0;
  let answeredBatches = 0;
  const batchCount = (): number => world.effects.filter(({ kind }) => kind === 'persist').length;
  const shownCounters = new Map<string, number>();
  const streams: StreamId[] = [];
  const effectsOf = (run: () => void): readonly string[] => {
    const before = world.effects.length;
    run();
    afterInput(world);
    const effects = world.effects.slice(before);
    for (const effect of effects) if (effect.kind === 'openStream') streams.push(effect.stream);
    return effects.map(lineOf);
  };
  const named = (value: unknown): unknown =>
    JSON.parse(
      storyJson(value ?? {})
        .replaceAll(/\$stream(\d+)/g, (_, at: string) => streams[Number(at)] ?? at)
        .replaceAll(/\$([SO]\d+)/g, `${MASTER_ID}-$1`)
        .replaceAll(/\$F(\d+)/g, (_, at: string) => `${MASTER_ID}-${at.padStart(4, '0')}`),
      (_, part: unknown) => (typeof part === 'string' && /^-?\d+n$/.test(part) ? BigInt(part.slice(0, -1)) : part),
    );
  return (word, given) => {
    const value = named(given);
    const { from, stream, principal, ...rest } = value as Sender & Record<string, unknown>;
    const request = (): RequestId => `call-${++requests}` as RequestId;
    switch (word) {
      case 'master':
      case 'failover': {
        const registry = word === 'failover' ? world.master.state.registrar.durable : undefined;
        streams.length = 0;
        shownCounters.clear();
        world = createWorld({ ...worldOptions(value as StoryOptions), ...(registry && { registry }) });
        return world.effects.map(lineOf);
      }
      case 'elect':
        return effectsOf(() => world.feed({ kind: 'elected', registry: emptyRegistry() }));
      case 'hold':
        world.holdStore(value as boolean);
        answeredBatches = batchCount();
        return [];
      case 'persisted':
        if (answeredBatches === batchCount()) return ['no batch is with the store'];
        answeredBatches++;
        return effectsOf(() => world.answerStore());
      case 'counters':
        return changedCounters(world.master, shownCounters);
      case 'timers':
        return timerLines(world);
      case 'wait':
        return effectsOf(() => world.wait(value as number));
      case 'agent':
        return effectsOf(() => world.agent(value as string));
      case 'subscribe':
        return effectsOf(() => world.subscribe(value as Partial<FrameworkInfo>));
      case 'call': {
        const streamId = stream === undefined ? undefined : streams[stream];
        const call = rest as SchedulerCall;
        return effectsOf(() => world.feed({ kind: 'schedulerCall', request: request(), principal, streamId, call }));
      }
      case 'operator': {
        const call = rest as MasterCall;
        return effectsOf(() => world.feed({ kind: 'operatorCall', request: request(), principal, call }));
      }
      case 'says': {
        const [[name, body] = ['', {}]] = Object.entries(rest);
        const message = { name, body } as LibprocessMessage;
        return effectsOf(() => world.feed({ kind: 'message', from: from as Pid, message, principal }));
      }
      default:
        return effectsOf(() => world.feed({ kind: word, ...(value as object) } as MasterInput));
    }
  };
}

for (const name of readdirSync(folder).filter((it) => it.endsWith('.txt'))) {
  test(`the story of ${name.slice(0, -'.txt'.length).replaceAll('-', ' ')}`, () => {
    const path = `${folder}/${name}`;
    const story = readFileSync(path, 'utf8');
    const played = playStory(story, createPlayer());
    if (process.env['MESETA_STORIES'] === 'write') writeFileSync(path, played);
    assert.equal(storyDifference(path, story, played), undefined);
  });

  test(`MACHINE-1: a master that continues from a snapshot after each input plays the same story (${name})`, () => {
    const path = `${folder}/${name}`;
    const story = readFileSync(path, 'utf8');
    const played = playStory(story, createPlayer(resumeFromSnapshot));
    assert.equal(storyDifference(path, story, played), undefined);
  });
}
