// What is wrong with a message that came from outside: as a value for callers, thrown only
// between the generated readers and the codec that catches it, which collects the path on its way.

export type WireErrorCode =
  /** The bytes end inside a value. */
  | 'truncated'
  /** The bytes or the text are not the format at all. */
  | 'malformed'
  /** A required field is not there. */
  | 'missing'
  /** A field holds a value of another kind. */
  | 'type'
  /** A field holds a value of the right kind that can't be. */
  | 'value'
  /** Nested too deeply. */
  | 'depth'
  /** Larger than the limit that the caller set. */
  | 'tooLarge'
  /** No message has this name. */
  | 'unknownMessage';

export interface WireError {
  readonly code: WireErrorCode;
  /** The message that was read, such as `mesos.v1.scheduler.Call`. */
  readonly message: string;
  /** The field, such as `subscribe.framework_info.name` or `accept.operations[2].type`; '' for the whole. */
  readonly path: string;
  /** What should have been there, such as `a string`. */
  readonly expected: string;
  /** What was there instead, where that says more. */
  readonly found: string | undefined;
}

/** One line of text for a person, naming the field and what was expected. */
export function renderWireError(error: WireError): string {
  const where = error.path === '' ? error.message : `field '${error.path}' of ${error.message}`;
  if (error.code === 'missing') return `${where} is required but missing: expected ${error.expected}`;
  const found = error.found === undefined ? '' : `, found ${error.found}`;
  return `${where}: expected ${error.expected}${found}`;
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

/** Called by a reader that an error passes through: `step` is the field it was reading. */
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
