// The checks of every registration and re-registration.

import { type AgentId, checkId, err, ok, overLimit, type Pid, type Result } from '@meseta/base';
import { isUnreserved, toPostRefinement } from '@meseta/resources';
import type { AgentInfo, ArchiveFramework, Attribute, ExecutorInfo, FrameworkInfo, Resource, Task } from '@meseta/wire';
import { machineKeyOf } from '../../registry/state.js';
import { type Context, warn } from '../context.js';
import { checkAuthorization } from '../operations/authorize.js';
import { firstAmong, firstOf, type Problem } from '../validation/problem.js';
import { agentIdOf, checkReportedResources, sendShutdown } from './records.js';

interface Applicant {
  readonly agent: AgentInfo;
  readonly version?: string | undefined;
  readonly checkpointed_resources?: readonly Resource[] | undefined;
  readonly frameworks?: readonly FrameworkInfo[] | undefined;
  readonly completed_frameworks?: readonly ArchiveFramework[] | undefined;
  readonly executor_infos?: readonly ExecutorInfo[] | undefined;
  readonly tasks?: readonly Task[] | undefined;
}

type Named = readonly [field: string, id: { readonly value: string } | undefined];

/** Checks all ids in the message, because the master shows them and sends them to other agents. */
function checkIds({ agent, frameworks = [], executor_infos = [], tasks = [] }: Applicant): Problem {
  const checkAll = (...named: readonly Named[]): Problem =>
    firstAmong(named, ([field, id]) => (id === undefined ? undefined : checkId(field, id.value)));
  const agentId = agentIdOf(agent);
  return firstOf(
    () => (agentId === undefined ? undefined : checkId('agent.id', agentId)),
    () => firstAmong(frameworks, ({ id }, i) => checkAll([`frameworks[${i}].id`, id])),
    () =>
      firstAmong(executor_infos, ({ executor_id, framework_id }, i) =>
        checkAll(
          [`executor_infos[${i}].executor_id`, executor_id],
          [`executor_infos[${i}].framework_id`, framework_id],
        ),
      ),
    () =>
      firstAmong(tasks, ({ task_id, framework_id, executor_id }, i) =>
        checkAll(
          [`tasks[${i}].task_id`, task_id],
          [`tasks[${i}].framework_id`, framework_id],
          [`tasks[${i}].executor_id`, executor_id],
        ),
      ),
  );
}

/** An agent whose registration has a problem gets no response, and retries. */
function checkRegistration(ctx: Context, applicant: Applicant): Problem {
  const { agent, version, checkpointed_resources } = applicant;
  const { options, identity } = ctx.state;
  const semver = /^(\d+)\.\d+\.\d+/.exec(version ?? '');
  if (semver === null) return `version: expected a version such as 1.12.0, got ${JSON.stringify(version)}`;
  if (Number(semver[1]) < 1) return `version: expected 1.0.0 or later, got ${version}`;
  if (agent.domain !== undefined && identity.info.domain === undefined)
    return 'agent.domain: must not be set, because this master has no domain';
  if (agent.domain === undefined && options.requireAgentDomain)
    return 'agent.domain: is missing, required by --require_agent_domain';
  return (
    overLimit('agentFrameworks', 'frameworks', applicant.frameworks?.length ?? 0) ??
    overLimit('agentFrameworks', 'completed_frameworks', applicant.completed_frameworks?.length ?? 0) ??
    checkIds(applicant) ??
    checkAttributes(agent.attributes ?? []) ??
    checkReportedResources('agent.resources', agent.resources) ??
    checkReportedResources('checkpointed_resources', checkpointed_resources)
  );
}

const checkAttributes = (attributes: readonly Attribute[]): Problem =>
  firstAmong(attributes, ({ name, text }, i) =>
    overLimit('attributeText', `agent.attributes[${i}]`, Math.max(name.length, text?.value.length ?? 0)),
  );

/** An agent with static reservations must be authorized to make reservations. */
function checkAgentAuthorization(ctx: Context, agent: AgentInfo, principal: string | undefined): string | undefined {
  const { options } = ctx.state;
  if (!options.authorize({ action: 'REGISTER_AGENT', principal })) return 'not authorized';
  const reserved = toPostRefinement(agent.resources ?? []).filter((resource) => !isUnreserved(resource));
  return checkAuthorization(options, principal, { type: 'RESERVE', reserve: { resources: reserved } });
}

/** Fails after it has logged the problem, or has shut down the agent. */
export function admit(
  ctx: Context,
  from: Pid,
  applicant: Applicant,
  principal: string | undefined,
): Result<undefined, undefined> {
  const { registrar, agents } = ctx.state;
  const problem = checkRegistration(ctx, applicant);
  if (problem !== undefined) {
    warn(ctx, `ignoring the registration of an agent at ${from}: ${problem}`);
    return err(undefined);
  }
  const denied = checkAgentAuthorization(ctx, applicant.agent, principal);
  if (denied !== undefined) {
    warn(ctx, `ignoring the registration of an agent at ${from}: ${denied}`);
    return err(undefined);
  }
  if (registrar.durable.machines.get(machineKeyOf({ info: applicant.agent, pid: from }))?.mode === 'DOWN') {
    sendShutdown(ctx, from, 'The machine is down for maintenance');
    return err(undefined);
  }
  const id: AgentId | undefined = agentIdOf(applicant.agent);
  if (id !== undefined && agents.gone.has(id)) {
    sendShutdown(ctx, from, 'Agent has been marked gone');
    return err(undefined);
  }
  return ok(undefined);
}
