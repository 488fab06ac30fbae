// The Docker engine's HTTP API, as far as this agent uses it.
import { err, type LocalResponse, ok, type SendLocalRequest, timerMs } from '@meseta/base';
import {
  CALL_TIMEOUT_MS,
  createEngineCalls,
  cut,
  type EngineCalls,
  type EngineResult,
  parseJson,
  readLines,
  unreachable,
} from './engine-calls.js';
import { fieldsOf, type Inspected, inspectedIn, type Listed, listedIn } from './engine-responses.js';
import { credentialsFor, type ImageName, imageReference, type RegistryCredentials } from './image-names.js';
import type { LimitChange } from './limits.js';

/** The engine reports the progress of a pull more often. */
const PULL_TIMEOUT_MS = 300_000;

export interface EngineEvent {
  readonly Action?: string;
  readonly Actor?: { readonly Attributes?: { readonly name?: string } };
}

export type FinishedExec =
  | { readonly kind: 'exited'; readonly code: number }
  /** `pid`: of the command on this machine, if it still runs. It leads a session of its own. */
  | { readonly kind: 'timedOut'; readonly pid: number | undefined };

export interface Engine {
  /** Agrees on a version of the API: again after the engine was restarted, as it may be another one. */
  connect(): EngineResult<void>;
  /** Makes the image available; downloads it if it is missing or `force` is set. */
  provideImage(image: ImageName, force: boolean, signal: AbortSignal): EngineResult<void>;
  /** `body`: of request.ts. */
  create(name: string, body: string): EngineResult<void>;
  start(name: string): EngineResult<void>;
  kill(name: string, signal: string): EngineResult<void>;
  /** Sends the container's stop signal, and SIGKILL after the timeout. */
  stop(name: string, timeoutMs: number): EngineResult<void>;
  /** Kills it first if it runs. */
  remove(name: string): EngineResult<void>;
  /** As the engine wrote it too. undefined: there is no such container. */
  inspect(name: string): EngineResult<{ readonly container: Inspected; readonly json: unknown } | undefined>;
  /** All containers with the label, ended ones too. */
  list(label: string): EngineResult<readonly Listed[]>;
  update(name: string, limits: LimitChange): EngineResult<void>;
  stats(name: string): EngineResult<unknown>;
  /** Runs a command in the container, and discards its output. */
  exec(name: string, command: ExecCommand, timeoutMs: number): EngineResult<FinishedExec>;
  /** The events of containers with the label. */
  events(label: string, signal: AbortSignal): EngineResult<LocalResponse>;
  /** The output from a time on (seconds since 1970, with a fraction), as frames with timestamps. */
  logs(name: string, since: string, signal: AbortSignal): EngineResult<LocalResponse>;
}

export interface ExecCommand {
  readonly words: readonly string[];
  readonly environment: readonly string[];
}

const query = (values: { readonly [name: string]: string }): string => new URLSearchParams(values).toString();
const filters = (values: { readonly [name: string]: readonly string[] }): string =>
  query({ filters: JSON.stringify(values) });
const containers = (name: string): string => `/containers/${encodeURIComponent(name)}`;

/** Downloads an image. The answer is 200 before the outcome is known: an error is the last line. */
async function pull(
  { open }: EngineCalls,
  credentials: RegistryCredentials,
  image: ImageName,
  signal: AbortSignal,
): EngineResult<void> {
  const auth = credentialsFor(credentials, image);
  const response = await open({
    method: 'POST',
    path: `/images/create?${query({ fromImage: image.repository, tag: image.tag })}`,
    headers: auth === undefined ? {} : { 'X-Registry-Auth': auth },
    timeoutMs: PULL_TIMEOUT_MS,
    signal,
  });
  if (!response.ok) return response;
  let problem: string | undefined;
  const ended = await readLines(response.value, (line) => {
    const { error } = (parseJson(line) ?? {}) as { readonly error?: unknown };
    if (typeof error === 'string') problem = error;
  });
  if (problem !== undefined) return err({ kind: 'refused', status: 500, message: cut(problem) });
  return ended.ok ? ok(undefined) : err(unreachable(ended.error));
}

export function createEngine(send: SendLocalRequest, socket: string, credentials: RegistryCredentials): Engine {
  const calls = createEngineCalls(send, socket);
  const { connect, open, requestJson, act } = calls;
  return {
    connect,
    async provideImage(image, force, signal) {
      if (!force) {
        const path = `/images/${encodeURIComponent(imageReference(image))}/json`;
        const found = await act({ method: 'GET', path, signal });
        if (found.ok) return ok(undefined);
        if (found.error.kind === 'unreachable' || found.error.status !== 404) return found;
      }
      return pull(calls, credentials, image, signal);
    },
    create: (name, body) => act({ method: 'POST', path: `/containers/create?${query({ name })}`, body }),
    start: (name) => act({ method: 'POST', path: `${containers(name)}/start` }),
    kill: (name, signal) => act({ method: 'POST', path: `${containers(name)}/kill?${query({ signal })}` }),
    stop: (name, timeoutMs) => {
      const t = String(Math.ceil(timeoutMs / 1000));
      return act({
        method: 'POST',
        path: `${containers(name)}/stop?${query({ t })}`,
        timeoutMs: timeoutMs + CALL_TIMEOUT_MS,
      });
    },
    remove: (name) => act({ method: 'DELETE', path: `${containers(name)}?${query({ force: '1', v: '1' })}` }),
    async inspect(name) {
      const json = await requestJson({ method: 'GET', path: `${containers(name)}/json` });
      if (json.ok) return ok({ container: inspectedIn(json.value), json: json.value });
      return json.error.kind === 'refused' && json.error.status === 404 ? ok(undefined) : json;
    },
    async list(label) {
      const path = `/containers/json?all=1&${filters({ label: [label] })}`;
      const json = await requestJson({ method: 'GET', path }, 'engineList');
      if (!json.ok) return json;
      const listed = listedIn(json.value);
      return listed === undefined ? err(unreachable(`${path}: the engine's answer is no list`)) : ok(listed);
    },
    update: (name, limits) => act({ method: 'POST', path: `${containers(name)}/update`, body: JSON.stringify(limits) }),
    stats: (name) => requestJson({ method: 'GET', path: `${containers(name)}/stats?stream=0&one-shot=1` }),
    exec: createExec(calls),
    events: (label, signal) => {
      const wanted = { type: ['container'], event: ['die'], label: [label] };
      return open({ method: 'GET', path: `/events?${filters(wanted)}`, signal });
    },
    logs: (name, since, signal) => {
      const wanted = { follow: '1', stdout: '1', stderr: '1', timestamps: '1', since };
      return open({ method: 'GET', path: `${containers(name)}/logs?${query(wanted)}`, signal });
    },
  };
}

/** Starts a command in a container and waits for its end; its output is discarded. */
function createExec({ open, requestJson }: EngineCalls): Engine['exec'] {
  async function untilEnd(response: LocalResponse): Promise<void> {
    for (let part = await response.next(); part.ok && part.value !== undefined; part = await response.next());
  }
  return async (name, { words, environment }, timeoutMs) => {
    const body = JSON.stringify({ AttachStdout: true, AttachStderr: true, Cmd: words, Env: environment });
    const made = await requestJson({ method: 'POST', path: `${containers(name)}/exec`, body });
    if (!made.ok) return made;
    const path = `/exec/${encodeURIComponent(String(fieldsOf(made.value)['Id']))}`;
    const timeout = new AbortController();
    const { signal } = timeout;
    const timer = setTimeout(() => timeout.abort(), timerMs(timeoutMs));
    const started = await open({ method: 'POST', path: `${path}/start`, body: '{"Detach":false,"Tty":false}', signal });
    if (started.ok) await untilEnd(started.value);
    clearTimeout(timer);
    if (!started.ok && !signal.aborted) return started;
    const found = await requestJson({ method: 'GET', path: `${path}/json` });
    if (!found.ok) return found;
    const { ExitCode, Running, Pid } = fieldsOf(found.value);
    if (signal.aborted) {
      return ok({ kind: 'timedOut', pid: Running === true && typeof Pid === 'number' && Pid > 1 ? Pid : undefined });
    }
    if (typeof ExitCode !== 'number') return err(unreachable('the command has no exit status'));
    return ok({ kind: 'exited', code: ExitCode });
  };
}
