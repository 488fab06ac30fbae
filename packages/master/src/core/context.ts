// What the handlers of one step share, and the effects that many of them add.
import type { FrameworkId, LogLine, Pid } from '@meseta/base';
import type { Context as CoreContext } from '@meseta/base/core/context';
import type { LibprocessMessage } from '@meseta/wire';
import type { MasterEffect, Note, Reply, RequestId } from './io.js';
import type { MasterState } from './state.js';

export type Context = CoreContext<MasterState, MasterEffect>;

/** Sends a message to one or more peers; nothing if `to` is empty. */
export function send(ctx: Context, to: Pid | readonly Pid[], message: LibprocessMessage, from = 'master'): void {
  const pids = typeof to === 'string' ? [to] : to;
  if (pids.length > 0) ctx.effects.push({ kind: 'send', to: pids, from, message });
}

export function reply(ctx: Context, request: RequestId, status: Reply['status'], text?: string): void {
  ctx.effects.push({ kind: 'reply', request, reply: text === undefined ? { status } : { status, text } });
}

export function note(ctx: Context, what: Note): void {
  ctx.effects.push({ kind: 'note', note: what });
}

const log = (ctx: Context, level: LogLine['level'], text: string): void =>
  note(ctx, { kind: 'log', level, text, cause: ctx.cause });

export const info = (ctx: Context, text: string): void => log(ctx, 'info', text);
export const warn = (ctx: Context, text: string): void => log(ctx, 'warning', text);

/** Adds to a counter of the master. */
export function count(ctx: Context, metric: string, by = 1): void {
  const { counters } = ctx.state;
  counters.set(metric, (counters.get(metric) ?? 0) + by);
}

/** Adds to a counter of a framework. */
export function countFor(framework: { readonly counters: Map<string, number> }, metric: string, by = 1): void {
  framework.counters.set(metric, (framework.counters.get(metric) ?? 0) + by);
}

const counterNames: { readonly [Prefix in 'calls' | 'events']: Map<string, string> } = {
  calls: new Map(),
  events: new Map(),
};

/** The counter of a type of call or event, such as `calls/accept`. Names are cached, because they are needed per event. */
export function counterOf(prefix: keyof typeof counterNames, type = 'UNKNOWN'): string {
  const known = counterNames[prefix].get(type);
  if (known !== undefined) return known;
  const name = `${prefix}/${type.toLowerCase()}`;
  counterNames[prefix].set(type, name);
  return name;
}

/** The timestamp of a status: seconds since the epoch. */
export const timestampOf = (ctx: Context): number => ctx.now.wallMs / 1000;

export const frameworkText = (id: FrameworkId, name: string): string => `framework ${id} (${name})`;
