// The agent's connection to its supervisor. Starts a supervisor where none runs, and again when it was killed.
//
// Owns: the connection, and the requests that wait for one.
// CLIENT-1: requests are sent in order, each to one supervisor at most once. What was sent before the connection was lost and
//   is not among the containers that the next `onReady` names was not carried out.
import { type ConnectLines, err, type LineConnection, ok, type Processes, type Result } from '@meseta/base';
import {
  type KnownContainer,
  PROTOCOL_VERSION,
  SOCKET_NAME,
  type SupervisorEvent,
  type SupervisorRequest,
} from './protocol.js';

const CONNECT_TIMEOUT_MS = 15_000;
const CONNECT_POLL_MS = 10;
/** In the error of a supervisor that finds another one. */
export const IN_USE = 'another supervisor runs';
const RESTART_PAUSE_MS = 1000;

type LiveEvent = Exclude<SupervisorEvent, { kind: 'known' | 'ready' }>;

export interface SupervisorOptions {
  readonly processes: Processes;
  readonly connectLines: ConnectLines;
  /** Has the socket and the records. */
  readonly directory: string;
  /** Starts a supervisor for the directory that is added to the arguments. */
  readonly command: { readonly program: string; readonly arguments: readonly string[] };
  /** `send` goes before the requests that wait. */
  readonly onReady: (session: number, containers: readonly KnownContainer[], send: SupervisorClient['send']) => void;
  readonly onEvent: (event: LiveEvent) => void;
  /** Requests that were sent before may not be carried out; those that are sent from now on wait for the next `onReady`. */
  readonly onLost: () => void;
  /** No supervisor can be started now; the requests that wait for one are dropped, and it is tried again later. */
  readonly onUnavailable: (reason: string) => void;
}

export interface SupervisorClient {
  send(request: SupervisorRequest): void;
  close(): void;
}

interface Client {
  readonly options: SupervisorOptions;
  connection: LineConnection | undefined;
  /** The lines that wait for a connection. */
  waiting: string[];
  isClosed: boolean;
}

/** A connection whose containers are known. */
async function connectOnce(client: Client): Promise<Result<void, string>> {
  const { options } = client;
  const containers: KnownContainer[] = [];
  let settle = (_result: Result<void, string>): void => {};
  const settled = new Promise<Result<void, string>>((resolve) => {
    settle = resolve;
  });
  let isReady = false;
  let connection: LineConnection | undefined;
  const onReady = (session: number): void => {
    isReady = true;
    client.connection = connection;
    options.onReady(session, containers, (request) => connection?.send(JSON.stringify(request)));
    for (const line of client.waiting.splice(0)) connection?.send(line);
    settle(ok(undefined));
  };
  const opened = await options.connectLines(options.directory, SOCKET_NAME, {
    onLine(line) {
      const event = JSON.parse(line) as SupervisorEvent;
      if (event.kind === 'known') containers.push(event.container);
      else if (event.kind !== 'ready') options.onEvent(event);
      else if (event.version === PROTOCOL_VERSION) onReady(event.session);
      else settle(err(`the supervisor of ${options.directory} is of another version of this program`));
    },
    onClosed() {
      settle(err('the supervisor closed the connection'));
      if (!isReady) return;
      client.connection = undefined;
      options.onLost();
      void reconnect(client);
    },
  });
  if (!opened.ok) return err(opened.error.message);
  connection = opened.value;
  const result = await settled;
  if (!result.ok || client.isClosed) connection.close();
  return result;
}

/** Why a supervisor that was started does not run. `mayStartAnother`: it was not its own failure. */
interface SupervisorEnd {
  readonly message: string;
  readonly mayStartAnother: boolean;
}

/** Starts a supervisor. Returns a function that says how it has ended; undefined: it runs. */
async function startSupervisor({ options }: Client): Promise<Result<() => SupervisorEnd | undefined, string>> {
  const { processes, command, directory } = options;
  const request = {
    program: command.program,
    arguments: [...command.arguments, directory],
    environment: {},
    directory,
  };
  const started = await processes.startResident(request);
  if (!started.ok) return err(`${command.program}: ${started.error.message}`);
  let ended: SupervisorEnd | undefined;
  void started.value.ended.then(({ end, stderr }) => {
    // It served another agent, which disconnected before this one was connected.
    const wasIdle = end.kind === 'exited' && end.code === 0;
    ended = {
      message: stderr.trim() || `the supervisor ended at its start: ${JSON.stringify(end)}`,
      mayStartAnother: wasIdle || stderr.includes(IN_USE),
    };
  });
  return ok(() => ended);
}

/**
 * Connects to the supervisor of the directory; starts one if there is none. One that is ending keeps a new one from starting
 * for a moment.
 */
async function connectOrStart(client: Client): Promise<Result<void, string>> {
  const deadlineMs = performance.now() + CONNECT_TIMEOUT_MS;
  let endOf: (() => SupervisorEnd | undefined) | undefined;
  for (;;) {
    const end = endOf?.();
    const connected = await connectOnce(client);
    if (connected.ok || client.isClosed) return connected;
    if (end?.mayStartAnother === false) return err(end.message);
    if (performance.now() > deadlineMs) return err(end?.message ?? connected.error);
    if (endOf === undefined || end !== undefined) {
      const started = await startSupervisor(client);
      if (!started.ok) return started;
      endOf = started.value;
    }
    await new Promise((resolve) => setTimeout(resolve, CONNECT_POLL_MS));
  }
}

async function reconnect(client: Client): Promise<void> {
  while (!client.isClosed) {
    const connected = await connectOrStart(client);
    if (connected.ok || client.isClosed) return;
    client.waiting = [];
    client.options.onUnavailable(connected.error);
    await new Promise((resolve) => setTimeout(resolve, RESTART_PAUSE_MS).unref());
  }
}

/** Connects to the supervisor, or says why none can be started. */
export async function connectSupervisor(options: SupervisorOptions): Promise<Result<SupervisorClient, string>> {
  const client: Client = { options, connection: undefined, waiting: [], isClosed: false };
  const connected = await connectOrStart(client);
  if (!connected.ok) return connected;
  return ok({
    send(request) {
      const line = JSON.stringify(request);
      if (client.connection === undefined) client.waiting.push(line);
      else client.connection.send(line);
    },
    close() {
      client.isClosed = true;
      client.connection?.close();
      client.connection = undefined;
    },
  });
}
