// v0 drivers: schedulers that speak libprocess instead of HTTP.
import { type FrameworkId, idOf, type Pid } from '@meseta/base';
import type { DeactivateFrameworkMessage, SchedulerCall } from '@meseta/wire';
import { type Context, info, warn } from '../context.js';
import type { Framework } from '../state.js';
import { checkCall } from '../validation/call.js';
import { deactivate } from './disconnect.js';
import { change } from './records.js';
import { subscribeAs } from './subscribe.js';

export function subscribeDriver(ctx: Context, from: Pid, call: SchedulerCall): void {
  const problem = checkCall(call, undefined);
  if (problem !== undefined || call.subscribe === undefined)
    return warn(ctx, `dropping SUBSCRIBE of ${from}: ${problem}`);
  subscribeAs(ctx, call.subscribe, { kind: 'pid', pid: from }, undefined);
}

/** The driver stopped with failover: no offers until it subscribes again; its timeout runs once it is gone. */
export function deactivateDriver(ctx: Context, from: Pid, { framework_id }: DeactivateFrameworkMessage): void {
  const framework: Framework | undefined = ctx.state.frameworks.get(idOf<FrameworkId>(framework_id));
  if (framework?.connection?.kind !== 'pid' || framework.connection.pid !== from) {
    return warn(ctx, `dropping the deactivation of framework ${framework_id.value} by ${from}: not its scheduler`);
  }
  if (framework.status !== 'active') return;
  deactivate(ctx, change(ctx, framework, { status: 'inactive' }), true);
  info(ctx, `framework ${framework.id} deactivated`);
}
