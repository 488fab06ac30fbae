// UPDATE_FRAMEWORK: changes the info, suppressed roles and offer constraints without a new subscription.
import { isDeepEqual } from '@meseta/base';
import type { SchedulerCallUpdateFramework } from '@meseta/wire';
import { type Context, note, reply } from '../context.js';
import { sendEvent } from '../events.js';
import type { RequestId } from '../io.js';
import { returnOffers } from '../offers.js';
import type { Framework } from '../state.js';
import {
  checkFrameworkInfo,
  checkSuppressedRoles,
  checkUpdate,
  readOfferConstraints,
  rolesOf,
} from '../validation/framework.js';
import { changeFramework, infoFields } from './records.js';
import { broadcastFramework } from './subscribe.js';

/** Answers a well-formed call with 200, or with 400 or 403 and the problem. A driver gets only the problem. */
export function updateFramework(
  ctx: Context,
  request: RequestId | undefined,
  framework: Framework,
  call: SchedulerCallUpdateFramework,
): void {
  const answer = (status: 200 | 400 | 403, text?: string): void => {
    if (request !== undefined) reply(ctx, request, status, text);
    else if (text !== undefined) sendEvent(ctx, framework, { type: 'ERROR', error: { message: text } });
  };
  const { options, allocator } = ctx.state;
  const suppressed = call.suppressed_roles ?? [];
  const problem =
    checkFrameworkInfo(call.framework_info, options.roles) ??
    checkUpdate(framework.info, call.framework_info) ??
    checkSuppressedRoles(call.framework_info, suppressed);
  if (problem !== undefined) return answer(400, problem);
  const constraints = readOfferConstraints(call.framework_info, call.offer_constraints, options.regexLimits);
  if (!constraints.ok) return answer(400, constraints.error);
  const denied = rolesOf(call.framework_info).find(
    (role) => !options.authorize({ action: 'REGISTER_FRAMEWORK', principal: framework.principal, value: role }),
  );
  if (denied !== undefined) return answer(403, `Not authorized to use the role '${denied}'`);

  const changedInfo = !isDeepEqual(framework.info, call.framework_info);
  const updated = changeFramework(ctx, framework, {
    ...infoFields({ ...call.framework_info, id: framework.wireId }),
    suppressedRoles: new Set(suppressed),
    offerConstraints: constraints.value,
  });
  const roles = new Set(updated.roles);
  returnOffers(ctx, updated, 'rescinded', (offer) => !roles.has(offer.role));
  allocator.updateFramework(framework.id, updated.info, {
    suppressedRoles: updated.suppressedRoles,
    offerConstraints: updated.offerConstraints,
  });
  answer(200);
  if (!changedInfo) return;
  note(ctx, { kind: 'frameworkUpdated', frameworkId: framework.id, framework: updated });
  broadcastFramework(ctx, updated);
}
