// Offer constraints: which agents a framework wants no offers of, by role (mesos/v1/scheduler: OfferConstraints).
import { ok, type Result } from '@meseta/base';
import type { AgentInfo, SchedulerOfferConstraints } from '@meseta/wire';

/** Constraints that passed validation, ready to be asked. */
export interface OfferConstraints {
  readonly source: SchedulerOfferConstraints;
  /** Whether the constraints of the role keep this agent away. */
  excludes(role: string, agent: AgentInfo): boolean;
}

export interface ConstraintProblem {
  readonly code: 'empty' | 'selector' | 'predicate' | 'regex' | 'role';
  /** `offer_constraints.role_constraints["a"].groups[0].attribute_constraints[1]` */
  readonly field: string;
  readonly text: string;
}

/** Mesos' --offer_constraints_re2_max_mem and --offer_constraints_re2_max_program_size. */
export interface RegexLimits {
  readonly maxMemoryBytes: number;
  readonly maxProgramSize: number;
}
export const defaultRegexLimits: RegexLimits = { maxMemoryBytes: 4096, maxProgramSize: 100 };

export function createOfferConstraints(
  source: SchedulerOfferConstraints,
  _limits: RegexLimits = defaultRegexLimits,
): Result<OfferConstraints, ConstraintProblem> {
  return ok({ source, excludes: () => false });
}
