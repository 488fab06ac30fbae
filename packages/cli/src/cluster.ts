// The cluster that a command addresses: its client, its JSON, and the errors of failed calls.
import { randomUUID } from 'node:crypto';
import { withoutTrailing } from '@meseta/base';
import {
  authorizationOf,
  bodyOf,
  type Credential,
  connectMaster,
  fetchTransport,
  type MasterClient,
} from '@meseta/sdk';
import { mastersOf, shownMaster } from '@meseta/sdk/masters';
import { CommandError, EXIT, readOptionFile } from './command.js';
import { type Column, formatTable } from './table.js';

export interface ClusterValues {
  readonly master?: string | undefined;
  readonly principal?: string | undefined;
  readonly 'secret-file'?: string | undefined;
}

export interface Cluster {
  /** As given, for texts without its password. */
  readonly shown: string;
  /** As given: of a master, of several, or of the service that elects the leader. */
  readonly address: string;
  readonly credential: Credential | undefined;
  readonly master: MasterClient;
}

/** A file that contains the address, as for the daemons: others cannot see its password among the arguments. */
const FILE = 'file://';

export function clusterOf(values: ClusterValues): Cluster {
  const given = values.master ?? process.env['MESETA_MASTER'] ?? '127.0.0.1:5050';
  const address = given.startsWith(FILE) ? readOptionFile('master', given.slice(FILE.length)).trim() : given;
  const credential = credentialOf(values);
  return { address, shown: shownMaster(address), credential, master: connectMaster(address, credential) };
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
export async function answerOf<T>(cluster: Cluster, called: Promise<Called<T>>): Promise<T> {
  const result = await called;
  if (result.ok) return result.value;
  const { code, text, status } = result.error;
  if (code === 'unreachable') {
    throw new CommandError(`no master answers at ${cluster.shown}: ${text}`, EXIT.unreachable);
  }
  throw new CommandError(`the master at ${cluster.shown} answered ${[status, text].filter(Boolean).join(' ')}`);
}

/** The JSON document of a v0 endpoint, for fields that no v1 call returns. */
export async function readJson<T>(cluster: Cluster, path: string): Promise<T> {
  const found = await mastersOf(cluster.address).find();
  if (!found.ok) throw new CommandError(`no master answers at ${cluster.shown}: ${found.error.text}`, EXIT.unreachable);
  const answer = await fetchTransport({
    method: 'GET',
    url: withoutTrailing(found.value, '/') + path,
    headers: authorizationOf(cluster.credential),
  });
  if (!answer.ok) {
    throw new CommandError(`no master answers at ${cluster.shown}: ${answer.error.text}`, EXIT.unreachable);
  }
  const body = await bodyOf(answer.value);
  if (!body.ok) {
    throw new CommandError(`the response of the master at ${cluster.shown} is not complete: ${body.error.text}`);
  }
  const text = Buffer.from(body.value).toString();
  if (answer.value.status !== 200) {
    throw new CommandError(`the master at ${cluster.shown} answered ${answer.value.status} ${text}`);
  }
  return JSON.parse(text) as T;
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
  else process.stdout.write(`${formatTable(columns, rows)}\n`);
}
