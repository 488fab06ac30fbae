// The end of containers: their output is read to its end, the end is reported, and later the engine removes them.
import { endOf, isRunning } from './inspected.js';
import { type OutputPosition, openOutput, sinceOf } from './output.js';
import { type Container, type DockerState, nameOf, pause, store } from './state.js';

const OUTPUT_RETRY_MS = 1000;
/** How long the output may take to be written after the container's end. */
const OUTPUT_END_MS = 10_000;
/** Between two attempts to kill a container. */
const KILL_RETRY_MS = 5000;
const SAVE_INTERVAL_MS = 1000;

/** Follows the output of a container from a position on. */
export async function followOutput(state: DockerState, container: Container, from: OutputPosition): Promise<void> {
  const writer = await openOutput(state.options.files, container.sandbox, from);
  const stopping = new AbortController();
  let isAtEnd = false;
  let wake = (): void => {};
  const woken = new Promise<void>((resolve) => {
    wake = resolve;
  });

  async function follow(): Promise<void> {
    while (!stopping.signal.aborted) {
      const wasAtEnd = isAtEnd;
      const response = await state.engine.logs(
        nameOf(container.containerId),
        sinceOf(writer.position()),
        stopping.signal,
      );
      const isComplete = response.ok && (await writer.follow(response.value));
      if (isComplete && wasAtEnd) return;
      // The engine can't read this container's output, or doesn't have it any more.
      if (!response.ok && response.error.kind === 'refused') return;
      if (!isAtEnd) await pause(state, OUTPUT_RETRY_MS, woken);
      else if (!isComplete) await pause(state, OUTPUT_RETRY_MS);
    }
  }

  const done = follow();
  container.output = {
    writer,
    done,
    end() {
      isAtEnd = true;
      wake();
    },
    stop() {
      stopping.abort();
      wake();
      writer.close();
    },
  };
  savePositions(state, container, stopping.signal);
}

/** Writes the position to disk while it changes (DOCKER-OUTPUT-1). */
function savePositions(state: DockerState, container: Container, stopping: AbortSignal): void {
  let saved = container.output?.writer.position();
  const save = (): void => {
    if (stopping.aborted || state.isClosed || container.phase === 'ended') return;
    const position = container.output?.writer.position();
    if (position !== saved) void store(state, container);
    saved = position;
    state.options.clock.setTimer(SAVE_INTERVAL_MS, save);
  };
  state.options.clock.setTimer(SAVE_INTERVAL_MS, save);
}

/** Looks whether a running container has ended, and reports that. While the engine doesn't answer nothing is known. */
export async function checkEnd(state: DockerState, container: Container): Promise<void> {
  if (container.phase !== 'running') return;
  const found = await state.engine.inspect(nameOf(container.containerId));
  if (!found.ok || state.isClosed || container.phase !== 'running') return;
  if (found.value !== undefined && isRunning(found.value.container)) return;
  container.phase = 'ending';
  const end = found.value === undefined ? { status: { kind: 'unknown' as const } } : endOf(found.value.container);
  container.output?.end();
  await Promise.race([container.output?.done, pause(state, OUTPUT_END_MS)]);
  if (state.isClosed) return;
  container.output?.stop();
  container.phase = 'ended';
  await store(state, container);
  state.options.onEvent({ kind: 'exited', containerId: container.containerId, ...end });
  if (found.value !== undefined) removeLater(state, nameOf(container.containerId));
}

/** Kills a container, again and again until it has ended. */
export async function killUntilEnded(state: DockerState, container: Container): Promise<void> {
  while (container.phase === 'running' && !state.isClosed) {
    const killed = await state.engine.kill(nameOf(container.containerId), 'SIGKILL');
    // The container is gone, or doesn't run.
    if (!killed.ok && killed.error.kind === 'refused') await checkEnd(state, container);
    if (container.phase === 'running') await pause(state, KILL_RETRY_MS);
    if (container.phase === 'running') await checkEnd(state, container);
  }
}

/** Lets the engine remove an ended container after --docker_remove_delay. */
export function removeLater(state: DockerState, name: string): void {
  const { removals, options } = state;
  removals.push({ name, dueMs: performance.now() + options.removeDelayMs });
  if (removals.length === 1) scheduleRemoval(state);
}

function scheduleRemoval(state: DockerState): void {
  const [next] = state.removals;
  if (next === undefined || state.isClosed) return;
  const delayMs = Math.max(0, next.dueMs - performance.now());
  state.cancelRemoval = state.options.clock.setTimer(delayMs, () => {
    void state.engine.remove(next.name).then(() => {
      // Only now, so that no container that ends meanwhile starts a second sequence of removals.
      state.removals.shift();
      scheduleRemoval(state);
    });
  });
}
