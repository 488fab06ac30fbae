// The problem with a message from outside: a value for callers. The generated readers throw it as a WireFailure, which
// collects the path of the field, and the codec catches it.
import { escapeControls } from '@meseta/base';

export type WireErrorCode =
  /** The bytes end inside a value. */
  | 'truncated'
  /** The bytes or the text do not have the format. */
  | 'malformed'
  /** A required field is missing. */
  | 'missing'
  /** A field has a value of another kind. */
  | 'type'
  /** A field has a value of the right kind that is not allowed. */
  | 'value'
  /** The nesting is too deep. */
  | 'depth'
  /** A size or count is above its limit. */
  | 'tooLarge'
  /** No message has this name. */
  | 'unknownMessage';

export interface WireError {
  readonly code: WireErrorCode;
  /** The name of the message, such as `mesos.v1.scheduler.Call`. */
  readonly message: string;
  /** The field, such as `subscribe.framework_info.name` or `accept.operations[2].type`; '' for the whole. */
  readonly path: string;
  /** The expected value, such as `a string`. */
  readonly expected: string;
  /** The actual value, if it is useful in the error. */
  readonly found: string | undefined;
}

/** One line of text that names the field and the expected value; what it quotes of the message has no control characters. */
export function renderWireError(error: WireError): string {
  const where = error.path === '' ? error.message : `field '${error.path}' of ${error.message}`;
  const problem = error.code === 'missing' ? `${where} is required but missing` : where;
  const found = error.found === undefined || error.code === 'missing' ? '' : `, found ${error.found}`;
  return escapeControls(`${problem}: expected ${error.expected}${found}`);
}

export class WireFailure extends Error {
  override readonly name = 'WireFailure';
  path = '';

  constructor(
    readonly code: WireErrorCode,
    readonly expected: string,
    readonly found?: string,
  ) {
    super(expected);
  }
}

/** Adds `step`, the field that the calling reader was reading, to the path of the error. */
export function within(error: unknown, step: string): unknown {
  if (error instanceof WireFailure && step !== '') {
    const join = error.path === '' || error.path.startsWith('[') ? '' : '.';
    error.path = `${step}${join}${error.path}`;
  }
  return error;
}

export function missing(field: string, expected: string): WireFailure {
  const failure = new WireFailure('missing', expected);
  failure.path = field;
  return failure;
}

export function wireErrorOf(message: string, failure: WireFailure): WireError {
  return { code: failure.code, message, path: failure.path, expected: failure.expected, found: failure.found };
}
