// Starting an agent in the process of a test.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { createLogger, type LoggerOptions, parseFlags } from '@meseta/platform';
import { type RunningAgent, startAgent } from './agent-process.js';
import { agentFlags } from './flags.js';
import { imageHelperCommand } from './image-helper-main.js';
import { supervisorCommand } from './supervisor-main.js';

export interface TestAgentOptions {
  /** The flags beside those that every test needs; the work directory is one of them. */
  readonly argv: readonly string[];
  /** Of its runtime and cache directories. */
  readonly directory: string;
  readonly level: NonNullable<LoggerOptions['level']>;
  onExit(status: number, message: string): void;
}

export async function startTestAgent({ argv, directory, level, onExit }: TestAgentOptions): Promise<RunningAgent> {
  const parsed = parseFlags(agentFlags, {
    argv: [
      '--ip=127.0.0.1',
      '--hostname=localhost',
      `--runtime_dir=${directory}/run`,
      `--fetcher_cache_dir=${directory}/cache`,
      '--resources=cpus:2;mem:1024;disk:1024;ports:[31000-31001]',
      '--registration_backoff_factor=10ms',
      ...argv,
    ],
    env: {},
    prefix: 'MESOS_',
    readFile: () => '',
  });
  assert.ok(parsed.ok);
  const started = await startAgent({
    flags: parsed.value.values,
    shown: parsed.value.shown,
    log: createLogger({ component: 'agent', level }),
    env: {},
    supervisor: supervisorCommand(resolve('dist/meseta.mjs')),
    imageHelper: imageHelperCommand(resolve('dist/meseta.mjs')),
    onExit,
  });
  assert.ok(started.ok, started.ok ? '' : started.error);
  return started.value;
}
