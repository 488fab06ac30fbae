// The master's core told as stories: testdata/*.txt. What a story says comes out must come out, to the letter. Where a
// change of it is meant, MESETA_STORIES=write writes the stories as they are played now: read the difference as you would
// a change of the code.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Pid } from '@meseta/base';
import { playStory, storyDifference, storyJson } from '@meseta/base/testing/story';
import type { FrameworkInfo, LibprocessMessage, MasterCall, SchedulerCall } from '@meseta/wire';
import { emptyRegistry } from '../registry/state.js';
import type { MasterEffect, MasterInput, RequestId, StreamId } from './io.js';
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

interface Told {
  readonly from?: Pid;
  readonly stream?: number;
  readonly principal?: string;
}

/**
 * Plays the lines of one story. `master {options}` makes another master than the usual one, which may do nothing that is
 * in its `denied`; `failover` one that takes over with the registry of the one before; `agent "RESOURCES"` is an
 * agent that registers and answers pings; `subscribe {info}` a framework; `call {stream, type...}` a scheduler's call;
 * `operator {type...}` an operator's; `says {from, NAME: body}` a message; `wait MS` lets time pass; everything else is an
 * input by its kind. `$S0`, `$F0`, `$O0` are ids of this master's agents, frameworks and offers, `$stream0` its streams.
 */
function player(): (word: string, value: unknown) => readonly string[] {
  let world: World = createWorld();
  let requests = 0;
  const streams: StreamId[] = [];
  const doing = (run: () => void): readonly string[] => {
    const before = world.effects.length;
    run();
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
    const { from, stream, principal, ...rest } = value as Told & Record<string, unknown>;
    const request = (): RequestId => `call-${++requests}` as RequestId;
    switch (word) {
      case 'master':
      case 'failover': {
        const { denied = [], ...options } = value as WorldOptions & { readonly denied?: readonly string[] };
        const registry = word === 'failover' ? world.master.state.registrar.durable : undefined;
        streams.length = 0;
        world = createWorld({
          ...options,
          ...(registry && { registry }),
          authorize: ({ action }) => !denied.includes(action),
        });
        return world.effects.map(lineOf);
      }
      case 'elect':
        return doing(() => world.feed({ kind: 'elected', registry: emptyRegistry() }));
      case 'wait':
        return doing(() => world.wait(value as number));
      case 'agent':
        return doing(() => world.agent(value as string));
      case 'subscribe':
        return doing(() => world.subscribe(value as Partial<FrameworkInfo>));
      case 'call': {
        const streamId = stream === undefined ? undefined : streams[stream];
        const call = rest as SchedulerCall;
        return doing(() => world.feed({ kind: 'schedulerCall', request: request(), principal, streamId, call }));
      }
      case 'operator': {
        const call = rest as MasterCall;
        return doing(() => world.feed({ kind: 'operatorCall', request: request(), principal, call }));
      }
      case 'says': {
        const [[name, body] = ['', {}]] = Object.entries(rest);
        const message = { name, body } as LibprocessMessage;
        return doing(() => world.feed({ kind: 'message', from: from as Pid, message, principal }));
      }
      default:
        return doing(() => world.feed({ kind: word, ...(value as object) } as MasterInput));
    }
  };
}

for (const name of readdirSync(folder).filter((it) => it.endsWith('.txt'))) {
  test(`the story of ${name.slice(0, -'.txt'.length).replaceAll('-', ' ')}`, () => {
    const path = `${folder}/${name}`;
    const story = readFileSync(path, 'utf8');
    const played = playStory(story, player());
    if (process.env['MESETA_STORIES'] === 'write') writeFileSync(path, played);
    assert.equal(storyDifference(path, story, played), undefined);
  });
}
