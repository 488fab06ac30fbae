// The port Processes on Node. Every child leads its own session, so that its process group can be killed as a whole and
// signals of this process' terminal do not reach it.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import {
  type AbortSignalLike,
  err,
  type FinishedRun,
  ok,
  type ProcessEnd,
  type Processes,
  type ProcessRequest,
  type ResidentProcess,
  type SystemResult,
  timerMs,
} from '@meseta/base';
import { systemError } from './system-results.js';

const DEFAULT_OUTPUT_BYTES = 64 * 1024;

/** The environment of helpers: that of this process may hold secrets and variables that change how programs behave. */
const DEFAULT_ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };

const endOf = (code: number | null, signal: NodeJS.Signals | null): ProcessEnd =>
  signal !== null ? { kind: 'signaled', signal: constants.signals[signal] } : { kind: 'exited', code: code ?? 0 };

const spawnOptions = (request: ProcessRequest, stdio: SpawnOptions['stdio']): SpawnOptions => ({
  detached: true,
  stdio,
  env: { ...(request.environment ?? DEFAULT_ENVIRONMENT) },
  ...(request.directory === undefined ? {} : { cwd: request.directory }),
  ...(request.owner === undefined ? {} : { uid: request.owner.uid, gid: request.owner.gid }),
});

function kill(pid: number, signal: number): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Collects the last `limitBytes` of a stream. */
function tailOf(stream: NodeJS.ReadableStream | null, limitBytes: number): () => string {
  let chunks: Buffer[] = [];
  let bytes = 0;
  stream?.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > 2 * limitBytes) {
      chunks = [Buffer.concat(chunks).subarray(-limitBytes)];
      bytes = limitBytes;
    }
  });
  return () => Buffer.concat(chunks).subarray(-limitBytes).toString('utf8');
}

async function started(child: ChildProcess): Promise<SystemResult<number>> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(err(systemError(error))));
    child.once('spawn', () => resolve(ok(child.pid ?? 0)));
  });
}

function launch(request: ProcessRequest, stdio: SpawnOptions['stdio']): SystemResult<ChildProcess> {
  try {
    return ok(spawn(request.program, [...request.arguments], spawnOptions(request, stdio)));
  } catch (error) {
    return err(systemError(error));
  }
}

async function run(
  request: ProcessRequest,
  limits: { readonly timeoutMs: number; readonly outputBytes?: number; readonly signal?: AbortSignalLike },
): Promise<SystemResult<FinishedRun>> {
  const { input } = request;
  const launched = launch(request, [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe']);
  if (!launched.ok) return launched;
  const child = launched.value;
  // The child may end without reading its input.
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
  const outputBytes = limits.outputBytes ?? DEFAULT_OUTPUT_BYTES;
  const stdout = tailOf(child.stdout, outputBytes);
  const stderr = tailOf(child.stderr, outputBytes);
  const exited = new Promise<ProcessEnd>((resolve) => {
    child.once('exit', (code, signal) => resolve(endOf(code, signal)));
  });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const pid = await started(child);
  if (!pid.ok) return pid;

  let timedOut = false;
  const killGroup = (): void => {
    kill(-pid.value, constants.signals.SIGKILL);
  };
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup();
  }, timerMs(limits.timeoutMs));
  limits.signal?.addEventListener('abort', killGroup);
  if (limits.signal?.aborted) killGroup();
  const end = await exited;
  clearTimeout(timer);
  limits.signal?.removeEventListener('abort', killGroup);
  // Remaining processes of its group keep the pipes open.
  killGroup();
  const drained = setTimeout(() => {
    child.stdout?.destroy();
    child.stderr?.destroy();
  }, 200);
  await closed;
  clearTimeout(drained);
  return ok({ end, stdout: stdout(), stderr: stderr(), timedOut });
}

async function startResident(request: ProcessRequest): Promise<SystemResult<ResidentProcess>> {
  const launched = launch(request, ['ignore', 'ignore', 'pipe']);
  if (!launched.ok) return launched;
  const child = launched.value;
  const stderr = tailOf(child.stderr, DEFAULT_OUTPUT_BYTES);
  const ended = new Promise<{ readonly end: ProcessEnd; readonly stderr: string }>((resolve) => {
    child.once('close', (code, signal) => resolve({ end: endOf(code, signal), stderr: stderr() }));
  });
  const pid = await started(child);
  if (!pid.ok) return pid;
  // This process may end before the other one.
  child.unref();
  if (child.stderr instanceof Socket) child.stderr.unref();
  return ok({ pid: pid.value, ended });
}

export function createProcesses(): Processes {
  return {
    self: { pid: process.pid, uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 },
    run,
    startResident,
    kill,
  };
}
