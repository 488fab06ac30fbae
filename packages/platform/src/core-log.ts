// The log lines of a core. Lines that inputs of peers (messages, calls) cause are limited, by the kind of input; lines that
// the core's own inputs (ticks, answers of the store) cause are not.
import type { Logger } from './log.js';

export interface CoreLog<Input> {
  /** To be called before each step: the lines written until the next call belong to this input. */
  beginInput(input: Input): void;
  write(level: 'info' | 'warning' | 'error', text: string): void;
}

/** `peerKindOf` names the kind of an input that a peer sent; undefined for the core's own inputs. */
export function createCoreLog<Input>(log: Logger, peerKindOf: (input: Input) => string | undefined): CoreLog<Input> {
  let kind: string | undefined;
  return {
    beginInput(input) {
      kind = peerKindOf(input);
    },
    write(level, text) {
      if (kind === undefined) log[level](text);
      else log.limited(level, kind, text);
    },
  };
}
