// What every registration is checked for before anything else.
import { type AgentId, err, ok, type Pid, type Result } from '@meseta/base';
import type { AgentInfo, Resource } from '@meseta/wire';
import { type Context, warn } from '../context.js';
import { checkId } from '../validation/problem.js';
import { agentIdOf, machineOf, problemOf, tellShutdown } from './records.js';

interface Applicant {
  readonly agent: AgentInfo;
  readonly version?: string | undefined;
  readonly checkpointed_resources?: readonly Resource[] | undefined;
}

/** A problem leaves the agent without an answer; it tries again. */
function problemWith(ctx: Context, { agent, version, checkpointed_resources }: Applicant): string | undefined {
  const { options, identity } = ctx.state;
  const semver = /^(\d+)\.\d+\.\d+/.exec(version ?? '');
  if (semver === null) return `version: expected a version such as 1.12.0, got ${JSON.stringify(version)}`;
  if (Number(semver[1]) < 1) return `version: expected 1.0.0 or later, got ${version}`;
  if (agent.domain !== undefined && identity.info.domain === undefined) return 'it has a domain and this master none';
  if (agent.domain === undefined && options.requireAgentDomain)
    return 'it has no domain, which --require_agent_domain wants';
  const id = agentIdOf(agent);
  return (
    (id === undefined ? undefined : checkId('agent.id', id)) ??
    problemOf('agent.resources', agent.resources) ??
    problemOf('checkpointed_resources', checkpointed_resources)
  );
}

/** Fails after having told the agent and the log what there is to tell. */
export function admit(ctx: Context, from: Pid, applicant: Applicant): Result<undefined, undefined> {
  const { options, registrar, agents } = ctx.state;
  const problem = problemWith(ctx, applicant);
  if (problem !== undefined) {
    warn(ctx, `ignoring the registration of an agent at ${from}: ${problem}`);
    return err(undefined);
  }
  if (!options.authorize({ action: 'REGISTER_AGENT', principal: undefined })) {
    warn(ctx, `ignoring the registration of an agent at ${from}: not authorized`);
    return err(undefined);
  }
  if (registrar.durable.machines.get(machineOf(applicant.agent, from))?.mode === 'DOWN') {
    tellShutdown(ctx, from, 'The machine is down for maintenance');
    return err(undefined);
  }
  const id: AgentId | undefined = agentIdOf(applicant.agent);
  if (id !== undefined && agents.gone.has(id)) {
    tellShutdown(ctx, from, 'Agent has been marked gone');
    return err(undefined);
  }
  return ok(undefined);
}
