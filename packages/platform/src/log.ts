// Log lines for people on stderr: `2026-01-31 12:00:00.123 INFO master: text`, one for each event.
//
// Boundary: callers leave out secrets.
// LOG-1: a line break in a text cannot forge a line.
// LOG-2: lines that peers can cause are limited (log-limit.ts).
import { escapeControls, LIMITS } from '@meseta/base';
import { createLogLimit } from './log-limit.js';
import { writeToStderr } from './stderr.js';

export type LogLevel = 'debug' | 'info' | 'warning' | 'error';

export interface Logger {
  /** Shared by all loggers that `named` made. */
  level: LogLevel | 'silent';
  debug(text: string): void;
  info(text: string): void;
  warning(text: string): void;
  error(text: string): void;
  /**
   * Logs a line that a peer can cause as often as it wants. Of each kind only some lines are written in an interval; the number of
   * suppressed ones is logged with the next line of any kind after the interval.
   */
  limited(level: LogLevel, kind: string, text: string): void;
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

/** LOG-1: the text with control characters escaped, cut to the longest line: peers choose ids. */
export const oneLine = (text: string): string => escapeControls(cut(text));

function cut(text: string): string {
  const { most } = LIMITS.logLine;
  return text.length <= most ? text : `${text.slice(0, most)}... (${text.length} characters)`;
}

export function createLogger(options: LoggerOptions): Logger {
  const shared = { level: options.level ?? 'info' };
  const write = options.write ?? writeToStderr;
  const wallMs = options.wallMs ?? Date.now;
  const limit = createLogLimit();

  const isShown = (level: LogLevel): boolean => RANKS[level] >= RANKS[shared.level];
  const writeLine = (level: LogLevel, component: string, text: string, nowMs: number): void => {
    const time = new Date(nowMs).toISOString().replace('T', ' ').replace('Z', '');
    write(`${time} ${level.toUpperCase()} ${component}: ${oneLine(text)}\n`);
  };

  const make = (component: string): Logger => {
    const writeSuppressed = (nowMs: number): void => {
      for (const { level, kind, count } of limit.takeSuppressed(nowMs)) {
        if (isShown(level))
          writeLine(level, component, `${count} more lines of the kind ${kind} were suppressed`, nowMs);
      }
    };
    const log = (level: LogLevel, text: string): void => {
      if (!isShown(level)) return;
      const nowMs = wallMs();
      writeSuppressed(nowMs);
      writeLine(level, component, text, nowMs);
    };
    return {
      get level() {
        return shared.level;
      },
      set level(level) {
        shared.level = level;
      },
      debug: (text) => log('debug', text),
      info: (text) => log('info', text),
      warning: (text) => log('warning', text),
      error: (text) => log('error', text),
      limited(level, kind, text) {
        if (!isShown(level)) return;
        const nowMs = wallMs();
        writeSuppressed(nowMs);
        if (limit.admit(level, kind, nowMs)) writeLine(level, component, text, nowMs);
      },
      named: make,
    };
  };
  return make(options.component);
}
