// The cluster that a command addresses: its client, its JSON, and the errors of failed calls.
import { randomUUID } from 'node:crypto';
import { escapeControls } from '@meseta/base';
import { isCoordinatorAddress } from '@meseta/coordination/service-address';
import {
  authorizationOf,
  bodyOf,
  type Credential,
  connectMaster,
  fetchTransport,
  type IncomingResponse,
  type MasterClient,
} from '@meseta/sdk';
import { isOneMaster, shownMaster } from '@meseta/sdk/masters';
import { type LeaderWait, masterSender } from '@meseta/sdk/operator';
import { CommandError, EXIT, readOptionFile } from './command.js';
import { printText } from './output.js';
import { type Column, formatTable } from './table.js';

export interface ClusterValues {
  readonly master?: string | undefined;
  readonly principal?: string | undefined;
  readonly 'secret-file'?: string | undefined;
}

export interface Cluster {
  /** The address without its password, for messages. */
  readonly shown: string;
  /** As given: of a master, of several, or of the service that elects the leader. */
  readonly address: string;
  readonly credential: Credential | undefined;
  /** Undefined: the address is that of one master. */
  readonly leaderWait: LeaderWait | undefined;
  readonly master: MasterClient;
}

/** Precedes the path of a file that contains the address, so that its password is not among the arguments of a process. */
const FILE_PREFIX = 'file://';

export function clusterOf(values: ClusterValues): Cluster {
  const given = values.master ?? process.env['MESETA_MASTER'] ?? '127.0.0.1:5050';
  const address = given.startsWith(FILE_PREFIX)
    ? readOptionFile('master', given.slice(FILE_PREFIX.length)).trim()
    : given;
  if (!isCoordinatorAddress(address) && address.includes('@')) {
    const text = '--master: expected an address without a user and a password; give --principal and --secret-file';
    throw new CommandError(text, EXIT.usage);
  }
  const credential = credentialOf(values);
  const leaderWait = isOneMaster(address) ? undefined : waitForLeader();
  const master = connectMaster(address, credential, leaderWait);
  return { address, shown: shownMaster(address), credential, leaderWait, master };
}

/** Longer than the term of a dead leader by default (`--zk_session_timeout=10secs`), and the election after it. */
const LEADER_TIMEOUT_MS = 15_000;

/** Reports the first wait to the person at the terminal. */
function waitForLeader(): LeaderWait {
  let hasReported = false;
  return {
    timeoutMs: LEADER_TIMEOUT_MS,
    onWait(reason) {
      if (hasReported) return;
      hasReported = true;
      const text = escapeControls(`no master leads (${reason}); waiting up to ${LEADER_TIMEOUT_MS / 1000} s for one`);
      process.stderr.write(`${text}\n`);
    },
  };
}

function credentialOf(values: ClusterValues): Credential | undefined {
  if (values.principal === undefined) return undefined;
  const file = values['secret-file'];
  const secret = file === undefined ? process.env['MESETA_SECRET'] : readOptionFile('secret-file', file).trimEnd();
  if (secret === undefined) {
    throw new CommandError('--principal: expected a secret in --secret-file=FILE or $MESETA_SECRET', EXIT.usage);
  }
  return { principal: values.principal, secret };
}

type Called<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: { readonly code: string; readonly text: string; readonly status?: number } };

/** The response of a call. Throws a CommandError if the call failed. */
export async function resultOf<T>(cluster: Cluster, called: Promise<Called<T>>): Promise<T> {
  const result = await called;
  if (result.ok) return result.value;
  const { code, text, status } = result.error;
  if (code === 'unreachable') {
    throw new CommandError(`no master answers at ${cluster.shown}: ${text}`, EXIT.unreachable);
  }
  throw new CommandError(`the master at ${cluster.shown} answered ${[status, text].filter(Boolean).join(' ')}`);
}

/** The JSON document of a v0 endpoint of the master, for fields that no v1 call returns. */
export async function readJson<T>(cluster: Cluster, path: string): Promise<T> {
  const send = masterSender(cluster.address, cluster.credential, cluster.leaderWait);
  return jsonOf<T>(await resultOf(cluster, send('GET', path, {})), `the master at ${cluster.shown}`);
}

/**
 * The JSON document at the URL. `server` names the server in errors: `the agent at 10.0.0.2:5051`. Throws a CommandError.
 */
export async function fetchJson<T>(url: string, server: string, credential: Credential | undefined): Promise<T> {
  const response = await fetchTransport({ method: 'GET', url, headers: authorizationOf(credential) });
  if (!response.ok) throw new CommandError(`${server} does not answer: ${response.error.text}`, EXIT.unreachable);
  return jsonOf<T>(response.value, server);
}

async function jsonOf<T>(response: IncomingResponse, server: string): Promise<T> {
  const body = await bodyOf(response);
  if (!body.ok) throw new CommandError(`the response of ${server} is not complete: ${body.error.text}`);
  const text = Buffer.from(body.value).toString();
  if (response.status !== 200) throw new CommandError(`${server} answered ${response.status} ${text}`);
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new CommandError(`${server} answered with something other than JSON: ${text.slice(0, 80)}`);
  }
}

/** Control characters except the line break; JSON.stringify escapes only those below 0x20. */
const CONTROL = /[^\P{Cc}\n]/gu;

/** JSON with bigints as numbers with all digits, as in Mesos' JSON, and without control characters, for a terminal. */
export function jsonText(value: unknown, indent?: number): string {
  // Random, so that no text of a framework or agent is taken for a number.
  const mark = randomUUID();
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${mark}${part}` : part), indent)
    .replace(new RegExp(`"${mark}(-?\\d+)"`, 'g'), '$1')
    .replace(CONTROL, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);
}

/** Prints one JSON document and a newline. */
export const printJson = (value: unknown): void => {
  process.stdout.write(`${jsonText(value, 2)}\n`);
};

/** Prints the rows as a table, or with --json the document. */
export function printRows<Row>(
  json: boolean | undefined,
  document: unknown,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): void {
  if (json) printJson(document);
  else printText(formatTable(columns, rows));
}
