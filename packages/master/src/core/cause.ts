// The kinds of messages and calls, by which the log lines that peers cause are limited.
import type { MasterInput } from './io.js';

/** Operators have kinds apart: no framework suppresses the lines of their calls. */
export function causeOf(input: MasterInput): string | undefined {
  switch (input.kind) {
    case 'message':
      return input.message.name;
    case 'schedulerCall':
      return input.call.type ?? 'UNKNOWN';
    case 'operatorCall':
      return `operator's ${input.call.type}`;
    case 'killTask':
    case 'streamClosed':
    case 'streamBacklog':
    case 'peerLost':
      return input.kind;
    case 'elected':
    case 'persisted':
    case 'tick':
    case 'continue':
      return undefined;
  }
}
