// v0 drivers: schedulers that use libprocess messages instead of HTTP.
import { type FrameworkId, idOf, type Pid } from '@meseta/base';
import type { DeactivateFrameworkMessage, SchedulerV0Call } from '@meseta/wire';
import { type Context, info, send, warn } from '../context.js';
import type { Framework } from '../state.js';
import { checkCall } from '../validation/call.js';
import { deactivateFramework } from './disconnect.js';
import { changeFramework } from './records.js';
import { FAILED_OVER, subscribeAs } from './subscribe.js';

export function subscribeDriver(ctx: Context, from: Pid, call: SchedulerV0Call): void {
  const problem = checkCall(call, undefined);
  if (problem !== undefined || call.subscribe === undefined)
    return warn(ctx, `dropping SUBSCRIBE of ${from}: ${problem}`);
  const { force, ...subscribe } = call.subscribe;
  const registered = ctx.state.frameworks.get(ctx.state.frameworkByPid.get(from) as FrameworkId);
  if (registered !== undefined && (subscribe.framework_info.id?.value ?? '') === '') {
    // The driver retries because the answer was lost.
    const body = { framework_id: registered.wireId, master_info: ctx.state.identity.info };
    return send(ctx, from, { name: 'FrameworkRegisteredMessage', body });
  }
  const known = subscribe.framework_info.id && ctx.state.frameworks.get(idOf<FrameworkId>(subscribe.framework_info.id));
  if (registered !== undefined && registered.id !== subscribe.framework_info.id?.value) {
    return warn(ctx, `dropping SUBSCRIBE of ${from}: it is the scheduler of framework ${registered.id}`);
  }
  // Without `force`, the driver has not noticed that another scheduler took over.
  if (known !== undefined && known.status !== 'recovered' && known.driverPid !== from && force !== true) {
    return send(ctx, from, { name: 'FrameworkErrorMessage', body: { message: FAILED_OVER } });
  }
  subscribeAs(ctx, subscribe, { kind: 'pid', pid: from }, undefined, force === true);
}

/** The driver stopped for a failover: it gets no offers until it subscribes again. Its timeout starts when it disconnects. */
export function deactivateDriver(ctx: Context, from: Pid, { framework_id }: DeactivateFrameworkMessage): void {
  const framework: Framework | undefined = ctx.state.frameworks.get(idOf<FrameworkId>(framework_id));
  if (framework?.connection?.kind !== 'pid' || framework.connection.pid !== from) {
    return warn(ctx, `dropping the deactivation of framework ${framework_id.value} by ${from}: not its scheduler`);
  }
  if (framework.status !== 'active') return;
  deactivateFramework(ctx, changeFramework(ctx, framework, { status: 'inactive' }), true);
  info(ctx, `framework ${framework.id} deactivated`);
}
