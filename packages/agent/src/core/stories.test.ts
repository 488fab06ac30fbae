// Plays the stories of the agent's core (testdata/*.txt) and compares every effect to the letter. After an intended change
// MESETA_STORIES=write writes the stories with the effects of now; review the difference like a change of the code.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { ContainerId, Pid } from '@meseta/base';
import { playStory, storyDifference, storyJson } from '@meseta/base/testing/story';
import type { ExitStatus, RecoveredContainer } from '@meseta/containers/types';
import type { FrameworkInfo, LibprocessMessage, RunTaskMessage, StatusUpdate, TaskInfo } from '@meseta/wire';
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

interface RunLine extends Partial<TaskInfo> {
  readonly id: string;
  readonly framework?: Partial<FrameworkInfo>;
  readonly message?: Partial<RunTaskMessage>;
}

interface StoryValue {
  readonly from?: Pid;
  readonly containers?: readonly RecoveredContainer[];
  readonly config?: Partial<AgentConfig>;
}

/** The first inputs of an agent that registers as `S0`. */
function register(world: World): void {
  world.input({ kind: 'start', checkpoint: [], containers: [] });
  world.input({ kind: 'masterDetected', master: MASTER });
  world.pass(world.core.state.config.registrationBackoffMs);
  world.message({ name: 'AgentRegisteredMessage', body: { agent_id: { value: 'S0' } } });
}

/** After a restart or a lost connection: the master is found and answers the re-registration. */
function reregister(world: World): void {
  world.input({ kind: 'masterDetected', master: MASTER });
  world.pass(world.core.state.config.registrationBackoffMs);
  world.message({ name: 'AgentReregisteredMessage', body: { agent_id: { value: 'S0' } } });
}

/** A task of framework `F` that runs a command of the same name, unless the line says otherwise. */
function runTask(world: World, { id, framework, message, ...task }: RunLine): void {
  const command = task.executor === undefined ? { command: { value: id } } : {};
  world.message({
    name: 'RunTaskMessage',
    body: {
      framework: { user: 'u', name: 'n', id: { value: 'F' }, ...framework },
      task: { name: id, task_id: { value: id }, agent_id: { value: 'S0' }, ...command, ...task },
      ...message,
    },
  });
}

const exitStatusOf = (end: number | string): ExitStatus =>
  typeof end === 'number' ? { kind: 'exited', code: end } : { kind: 'signaled', signal: Number(end.slice(1)) };

const countersOf = ({ core }: World): string => {
  const { tasks, ...counters } = core.state.counters;
  const entries = [...Object.entries(counters), ...[...tasks].map(([state, count]) => [`tasks ${state}`, count])];
  return storyJson(Object.fromEntries(entries.filter(([, count]) => count !== 0)));
};

/** Plays the inputs of one story; `testdata/README.md` describes the verbs. */
function player(): (verb: string, value: unknown) => readonly string[] {
  let world: World = createWorld();
  const containers = new Map<string, string>();
  const acknowledged = new Set<string | undefined>();
  const linesOf = (run: () => void): readonly string[] => {
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
  const withContainerIds = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value ?? {}).replaceAll(/\$([\w-]+)/g, (_, name: string) => containers.get(name) ?? name),
    );
  return (verb, given) => {
    const parsed = withContainerIds(given);
    const value = parsed as StoryValue;
    switch (verb) {
      case 'agent':
        world = createWorld(value as Partial<AgentConfig>);
        return [];
      case 'registered':
        world = createWorld(value as Partial<AgentConfig>);
        register(world);
        return [];
      case 'counters':
        return [countersOf(world)];
      case 'wait':
        return linesOf(() => world.pass(parsed as number));
      case 'restart':
        return linesOf(() => world.restart(value.containers ?? [], value.config ?? {}));
      case 'reregistered':
        return linesOf(() => reregister(world));
      case 'run':
        return linesOf(() => runTask(world, parsed as RunLine));
      case 'started':
        return linesOf(() => {
          for (const [name, pid] of Object.entries(parsed as Record<string, number>)) {
            const containerId = (containers.get(name) ?? name) as ContainerId;
            world.input({ kind: 'containerEvent', event: { kind: 'started', containerId, pid } });
          }
        });
      case 'exited':
        return linesOf(() => {
          for (const [name, end] of Object.entries(parsed as Record<string, number | string>)) {
            const containerId = (containers.get(name) ?? name) as ContainerId;
            world.input({ kind: 'containerEvent', event: { kind: 'exited', containerId, status: exitStatusOf(end) } });
          }
        });
      case 'acknowledge':
        return linesOf(() => {
          for (let at = 0; at < updates(world).length; at++) {
            const update = updates(world)[at] as StatusUpdate;
            if (acknowledged.has(update.uuid)) continue;
            acknowledged.add(update.uuid);
            acknowledge(world, update);
          }
        });
      case 'says': {
        const { from = MASTER, ...messages } = value as StoryValue & Record<string, unknown>;
        const [[name, body] = ['', {}]] = Object.entries(messages);
        return linesOf(() => world.message({ name, body } as LibprocessMessage, from));
      }
      default:
        return linesOf(() => world.input({ kind: verb, ...(parsed as object) } as AgentInput));
    }
  };
}

for (const name of readdirSync(folder).filter((it) => it.endsWith('.txt'))) {
  test(`the story of ${name.slice(0, -'.txt'.length).replaceAll('-', ' ')}`, () => {
    const path = `${folder}/${name}`;
    const story = readFileSync(path, 'utf8');
    const played = playStory(story, player());
    if (process.env['MESETA_STORIES'] === 'write') writeFileSync(path, played);
    const difference = storyDifference(path, story, played);
    assert.ok(difference === undefined, difference);
  });
}
