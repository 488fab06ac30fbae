/** A log line of a core, as data. */
export interface LogLine {
  readonly level: 'info' | 'warning' | 'error';
  readonly text: string;
  /** The kind of the message or call of a peer that caused it; undefined if the core's owner did. */
  readonly cause: string | undefined;
}
