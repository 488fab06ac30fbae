// The agent's core told as stories: testdata/*.txt, each from the start of an agent. What a story says comes out must come
// out, to the letter. Where a change of it is meant, MESETA_STORIES=write writes the stories as they are played now:
// read the difference as you would a change of the code.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Pid } from '@meseta/base';
import { playStory, storyDifference, storyJson } from '@meseta/base/testing/story';
import type { RecoveredContainer } from '@meseta/containers/types';
import type { LibprocessMessage, StatusUpdate } from '@meseta/wire';
import type { AgentConfig, AgentEffect, AgentInput } from './io.js';
import { acknowledge, createWorld, MASTER, updates, type World } from './testing.js';

const folder = 'packages/agent/src/core/testdata';

function lineOf(effect: AgentEffect): string {
  switch (effect.kind) {
    case 'log':
      return `${effect.level}: ${effect.text}`;
    case 'send':
      return `to ${effect.to} ${effect.message.name} ${storyJson(effect.message.body)}`;
    case 'checkpoint':
      return `checkpoint ${storyJson(Object.fromEntries(effect.changes.map(({ key, record }) => [key, record ?? null])))}`;
    default: {
      const { kind, ...rest } = effect;
      return `${kind} ${storyJson(rest)}`;
    }
  }
}

interface Told {
  readonly from?: Pid;
  readonly containers?: readonly RecoveredContainer[];
  readonly config?: Partial<AgentConfig>;
}

/**
 * Plays the lines of one story. `agent {config}` makes another agent than the usual one; `wait MS` lets time pass;
 * `says {NAME: body}` is a message, of the master unless `from` says another; `acknowledge` acknowledges every update;
 * everything else is an input by its kind. `$name` is the container of the executor, task or nested container of that name.
 */
function player(): (word: string, value: unknown) => readonly string[] {
  let world: World = createWorld();
  const containers = new Map<string, string>();
  const acknowledged = new Set<string | undefined>();
  const doing = (run: () => void): readonly string[] => {
    const before = world.effects.length;
    run();
    const effects = world.effects.slice(before);
    for (const effect of effects) {
      if (effect.kind !== 'launch') continue;
      const [, owner = ''] = /([^/]+)\/(?:runs\/)?[^/]+$/.exec(effect.spec.sandbox) ?? [];
      containers.set(
        effect.pod?.taskId ?? (owner === 'containers' ? (effect.spec.sandbox.split('/').at(-1) as string) : owner),
        effect.spec.containerId,
      );
    }
    return effects.map(lineOf);
  };
  const named = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value ?? {}).replaceAll(/\$([\w-]+)/g, (_, name: string) => containers.get(name) ?? name),
    );
  return (word, given) => {
    const value = named(given);
    const told = value as Told;
    switch (word) {
      case 'agent':
        world = createWorld(told as Partial<AgentConfig>);
        return [];
      case 'wait':
        return doing(() => world.pass(value as number));
      case 'restart':
        return doing(() => world.restart(told.containers ?? [], told.config ?? {}));
      case 'acknowledge':
        return doing(() => {
          for (let at = 0; at < updates(world).length; at++) {
            const update = updates(world)[at] as StatusUpdate;
            if (acknowledged.has(update.uuid)) continue;
            acknowledged.add(update.uuid);
            acknowledge(world, update);
          }
        });
      case 'says': {
        const { from = MASTER, ...messages } = told as Told & Record<string, unknown>;
        const [[name, body] = ['', {}]] = Object.entries(messages);
        return doing(() => world.message({ name, body } as LibprocessMessage, from));
      }
      default:
        return doing(() => world.input({ kind: word, ...(value as object) } as AgentInput));
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
