// What every registration is checked for before anything else.
import { type AgentId, err, ok, type Pid, type Result } from '@meseta/base';
import { isUnreserved, toPostRefinement } from '@meseta/resources';
import type { AgentInfo, Resource } from '@meseta/wire';
import { type Context, warn } from '../context.js';
import { denial } from '../operations/authorize.js';
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

/** An agent that brings reservations makes them: it must be allowed to. */
function denialOf(ctx: Context, agent: AgentInfo, principal: string | undefined): string | undefined {
  const { options } = ctx.state;
  if (!options.authorize({ action: 'REGISTER_AGENT', principal })) return 'not authorized';
  const reserved = toPostRefinement(agent.resources ?? []).filter((resource) => !isUnreserved(resource));
  return denial(options, principal, { type: 'RESERVE', reserve: { resources: reserved } });
}

/** Fails after having told the agent and the log what there is to tell. */
export function admit(
  ctx: Context,
  from: Pid,
  applicant: Applicant,
  principal: string | undefined,
): Result<undefined, undefined> {
  const { registrar, agents } = ctx.state;
  const problem = problemWith(ctx, applicant);
  if (problem !== undefined) {
    warn(ctx, `ignoring the registration of an agent at ${from}: ${problem}`);
    return err(undefined);
  }
  const denied = denialOf(ctx, applicant.agent, principal);
  if (denied !== undefined) {
    warn(ctx, `ignoring the registration of an agent at ${from}: ${denied}`);
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
