// A session between this terminal and a container: the standard input is sent to it, and its output is shown.
//
// Owns: the modes of the terminal while the session lasts.
// TASK-SESSION-1: at the end of the session, for whatever reason, the terminal has the modes that it had before.
import { type AgentProcessIO, type ContainerID, MesetaError } from '@meseta/sdk';
import { type Agent, type ContainerInput, openInput } from '@meseta/sdk/agent-streams';

const HEARTBEAT_MS = 30_000;
/** Ctrl-P Ctrl-Q. */
const DETACH = Buffer.from([0x10, 0x11]);

export interface SessionOptions {
  /** The terminal here is that of the container. */
  readonly isTerminal: boolean;
  /** Sends the standard input. */
  readonly isInteractive: boolean;
  /** Ctrl-P Ctrl-Q ends the session; the container goes on. */
  readonly canDetach: boolean;
}

export const windowNow = (): { readonly rows: number; readonly columns: number } => ({
  rows: process.stdout.rows ?? 24,
  columns: process.stdout.columns ?? 80,
});

const windowOf = (window_size: { readonly rows: number; readonly columns: number }): AgentProcessIO => ({
  type: 'CONTROL',
  control: { type: 'TTY_INFO', tty_info: { window_size } },
});
const dataOf = (bytes: Buffer): AgentProcessIO => ({
  type: 'DATA',
  data: { type: 'STDIN', data: bytes.toString('base64') },
});
const heartbeat: AgentProcessIO = {
  type: 'CONTROL',
  control: { type: 'HEARTBEAT', heartbeat: { interval: { nanoseconds: HEARTBEAT_MS * 1e6 } } },
};

/** Returns a function that restores the modes. */
function enterRawMode(): () => void {
  const { stdin } = process;
  if (!stdin.isTTY) return () => {};
  stdin.setRawMode(true);
  const restore = (): void => void stdin.setRawMode(false);
  process.once('exit', restore);
  return () => {
    process.off('exit', restore);
    restore();
  };
}

/** The bytes before the keys to detach; undefined if these bytes, which follow the byte `last`, do not complete the keys. */
export function bytesBeforeDetach(last: number | undefined, bytes: Buffer): Buffer | undefined {
  if (last === DETACH[0] && bytes[0] === DETACH[1]) return bytes.subarray(0, 0);
  const at = bytes.indexOf(DETACH);
  return at < 0 ? undefined : bytes.subarray(0, at);
}

/** Sends the standard input until its end. Returns whether the person has detached. */
async function sendInput(input: ContainerInput, { canDetach }: SessionOptions): Promise<boolean> {
  let last: number | undefined;
  for await (const chunk of process.stdin) {
    const bytes = chunk as Buffer;
    const typed = canDetach ? bytesBeforeDetach(last, bytes) : undefined;
    if (typed !== undefined) {
      // A DATA without bytes would end the input.
      if (typed.length > 0) await input.send(dataOf(typed));
      return true;
    }
    last = bytes.at(-1);
    await input.send(dataOf(bytes));
  }
  // A DATA without bytes ends the input.
  await input.send(dataOf(Buffer.alloc(0)));
  return false;
}

async function show(output: AsyncIterable<AgentProcessIO>): Promise<void> {
  for await (const { data } of output) {
    if (data?.data === undefined) continue;
    const stream = data.type === 'STDERR' ? process.stderr : process.stdout;
    if (!stream.write(Buffer.from(data.data, 'base64'))) await new Promise((resolve) => stream.once('drain', resolve));
  }
}

function startInput(agent: Agent, container: ContainerID, options: SessionOptions) {
  const input = openInput(agent, container);
  const heartbeats = setInterval(() => void input.send(heartbeat), HEARTBEAT_MS);
  const resize = (): void => void input.send(windowOf(windowNow()));
  if (options.isTerminal) {
    // A change of the size makes the program in the container redraw its screen.
    if (options.canDetach) void input.send(windowOf({ rows: 0, columns: 0 }));
    resize();
    process.stdout.on('resize', resize);
  }
  const detached = sendInput(input, options).then((hasDetached) => {
    if (hasDetached || !options.isTerminal) input.end();
    return hasDetached;
  });
  return {
    detached,
    ended: input.ended,
    stop() {
      clearInterval(heartbeats);
      process.stdout.off('resize', resize);
      input.end();
      process.stdin.destroy();
    },
  };
}

/**
 * Shows the output until it ends, and sends the input meanwhile. Returns why it has ended. Throws a MesetaError if the input
 * is refused before.
 */
export async function runSession(
  agent: Agent,
  container: ContainerID,
  output: AsyncIterable<AgentProcessIO>,
  options: SessionOptions,
): Promise<'ended' | 'detached'> {
  const shown = show(output).then(() => 'ended' as const);
  if (!options.isInteractive) return shown;
  const restore = options.isTerminal ? enterRawMode() : () => {};
  const input = startInput(agent, container, options);
  const never = new Promise<never>(() => {});
  const detached = input.detached.then((hasDetached) => (hasDetached ? ('detached' as const) : never));
  // The end of the input does not end the session. Attaching to a container that has ended is refused with 500.
  const refused = input.ended.then(
    () => never,
    (error: unknown) => (error instanceof MesetaError && error.status === 500 ? never : Promise.reject(error)),
  );
  try {
    return await Promise.race([shown, detached, refused]);
  } finally {
    input.stop();
    restore();
  }
}
