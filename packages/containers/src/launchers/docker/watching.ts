// Follows the engine: one connection brings the events of all containers of this agent. After a loss the connection is opened
// again, and then the engine's containers are compared with the known ones.
//
// Owns: the connection for events, until the launcher is closed. `DockerState` (state.ts) has the containers.
// WATCHING-1: a container whose state is unknown, because the engine doesn't answer, is not reported as ended.
import { createConcurrencyLimit } from '../../concurrency.js';
import { AGENT_LABEL } from './docker-plan.js';
import { checkEnd, removeLater } from './endings.js';
import type { EngineEvent } from './engine.js';
import { type EngineProblem, parseJson, readLines } from './engine-calls.js';
import type { Listed } from './engine-responses.js';
import { type DockerState, idOf, nameOf, pause } from './state.js';

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5000;
const MAX_CHECKS = 16;

export const labelOf = ({ options }: DockerState): string => `${AGENT_LABEL}=${options.agent}`;

const problemText = (problem: EngineProblem): string =>
  `the Docker engine doesn't answer: ${problem.message}; running containers are not affected`;

/** Follows the engine until the launcher is closed. */
export async function watchEngine(state: DockerState, reportsFirst: boolean): Promise<void> {
  let retryMs = FIRST_RETRY_MS;
  let isReported = !reportsFirst;
  while (!state.isClosed) {
    const followed = await followEvents(state, () => {
      if (isReported) state.options.warn('the Docker engine answers again');
      isReported = false;
      retryMs = FIRST_RETRY_MS;
    });
    if (state.isClosed) return;
    if (!isReported) state.options.warn(followed);
    isReported = true;
    await pause(state, retryMs);
    retryMs = Math.min(2 * retryMs, LAST_RETRY_MS);
  }
}

/** Follows the events over one connection. Returns why it ended. */
async function followEvents(state: DockerState, onConnected: () => void): Promise<string> {
  const { engine } = state;
  const connected = await engine.connect();
  if (!connected.ok) return problemText(connected.error);
  // The events first, so that none is missed between the list and them.
  const events = await engine.events(labelOf(state), state.closing.signal);
  if (!events.ok) return problemText(events.error);
  const listed = await engine.list(labelOf(state));
  if (!listed.ok) {
    events.value.close();
    return problemText(listed.error);
  }
  onConnected();
  await compareWithKnown(state, listed.value);
  const ended = await readLines(events.value, (line) => handleEvent(state, (parseJson(line) ?? {}) as EngineEvent));
  return `the Docker engine closed the connection${ended.ok ? '' : `: ${ended.error}`}; running containers are not affected`;
}

function handleEvent(state: DockerState, { Actor }: EngineEvent): void {
  const name = Actor?.Attributes?.name;
  const id = name === undefined ? undefined : idOf([`/${name}`]);
  const container = id === undefined ? undefined : state.containers.get(id);
  if (container !== undefined) void checkEnd(state, container);
}

/** Reports containers that have ended meanwhile. */
async function compareWithKnown(state: DockerState, listed: readonly Listed[]): Promise<void> {
  const running = new Set(listed.flatMap(({ Names, State }) => (State === 'running' ? [idOf(Names)] : [])));
  const limit = createConcurrencyLimit(MAX_CHECKS);
  const gone = [...state.containers.values()].filter(
    ({ containerId, phase }) => phase === 'running' && !running.has(containerId),
  );
  await Promise.all(gone.map((container) => limit(() => checkEnd(state, container))));
}

/**
 * Deals with the agent's containers in the engine that it doesn't know: those that it has reported, and those that it lost
 * with its runtime directory.
 */
export async function removeUnknown(state: DockerState, unknown: readonly Listed[]): Promise<void> {
  const { engine, options } = state;
  const limit = createConcurrencyLimit(MAX_CHECKS);
  await Promise.all(
    unknown.map(({ Names, State }) =>
      limit(async () => {
        // An image may have the agent's label, and then any container of it has.
        const id = idOf(Names);
        if (id === undefined) return;
        const name = nameOf(id);
        if (State === 'exited' || State === 'dead') removeLater(state, name);
        else if (State === 'created') await engine.remove(name);
        else if (options.killOrphans) {
          await engine.stop(name, options.stopTimeoutMs);
          removeLater(state, name);
        }
      }),
    ),
  );
}
