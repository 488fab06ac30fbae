// Masters with their shell, in the process of a test.
import assert from 'node:assert/strict';
import { createLogger, parseFlags } from '@meseta/platform';
import { until } from '@meseta/platform/testing/until';
import { configurationOf } from './configuration.js';
import { masterFlags } from './flags.js';
import { type RunningMaster, startMaster } from './start.js';

const silent = createLogger({ component: 'test', level: 'silent' });

/** The configuration of these flags; an unknown flag fails the test. */
export async function configure(argv: readonly string[], logFile?: string): ReturnType<typeof configurationOf> {
  const parsed = parseFlags(masterFlags, { argv, env: {}, prefix: 'MESOS_', readFile: () => '' });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return configurationOf(parsed.value.values, parsed.value.shown, silent, {}, logFile);
}

/** Starts a master on a free port of loopback; resolves once it leads. */
export async function startLeader(argv: readonly string[], logFile?: string): Promise<RunningMaster> {
  const config = await configure(['--port=0', '--hostname=localhost', ...argv], logFile);
  assert.ok(config.ok, JSON.stringify(config));
  const running = await startMaster(config.value, (message) => assert.fail(message));
  assert.ok(running.ok, JSON.stringify(running));
  // A master listens before it leads.
  await until('the master leads', async () => (await fetch(`http://${running.value.address}/state`)).status !== 503);
  return running.value;
}
