// Lines for people: `2026-01-31 12:00:00.123 INFO master: text`, one an event, on stderr.
// Secrets are the caller's to leave out; a line break in a text can't forge a line.

import { LIMITS } from '@meseta/base';
import { writeToStderr } from './stderr.js';

export type LogLevel = 'debug' | 'info' | 'warning' | 'error';

export interface Logger {
  /** Shared by all loggers that `named` made. */
  level: LogLevel | 'silent';
  debug(text: string): void;
  info(text: string): void;
  warning(text: string): void;
  error(text: string): void;
  /** The same log under another component's name. */
  named(component: string): Logger;
}

export interface LoggerOptions {
  readonly component: string;
  /** `info` unless given. */
  readonly level?: LogLevel | 'silent' | undefined;
  /** Takes one line with its end; stderr unless given. */
  readonly write?: ((line: string) => void) | undefined;
  readonly wallMs?: (() => number) | undefined;
}

const RANKS = { debug: 0, info: 1, warning: 2, error: 3, silent: 4 } as const;

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const CONTROL = /\p{Cc}/gu;

/** The text without line breaks and other control characters, and no longer than a line may be: peers choose ids. */
export const oneLine = (text: string): string =>
  cut(text).replace(CONTROL, (char) => ESCAPES[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);

function cut(text: string): string {
  const { most } = LIMITS.logLine;
  return text.length <= most ? text : `${text.slice(0, most)}... (${text.length} characters)`;
}

export function createLogger(options: LoggerOptions): Logger {
  const shared = { level: options.level ?? 'info' };
  const write = options.write ?? writeToStderr;
  const wallMs = options.wallMs ?? Date.now;

  const make = (component: string): Logger => {
    const say = (level: LogLevel, text: string): void => {
      if (RANKS[level] < RANKS[shared.level]) return;
      const time = new Date(wallMs()).toISOString().replace('T', ' ').replace('Z', '');
      write(`${time} ${level.toUpperCase()} ${component}: ${oneLine(text)}\n`);
    };
    return {
      get level() {
        return shared.level;
      },
      set level(level) {
        shared.level = level;
      },
      debug: (text) => say('debug', text),
      info: (text) => say('info', text),
      warning: (text) => say('warning', text),
      error: (text) => say('error', text),
      named: make,
    };
  };
  return make(options.component);
}
