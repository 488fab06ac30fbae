// Offer constraints: which agents a framework wants no offers of, by role (mesos/v1/scheduler: OfferConstraints).
//
// A role's groups are alternatives; in a group all constraints must hold. A role without constraints takes every agent.
// What is asked is the first attribute of the name, or a pseudo-attribute. A text predicate on an attribute that isn't
// TEXT holds, negated or not; on one that is missing the plain one fails and the negated one holds.
import { err, ok, overLimit, type Result } from '@meseta/base';
import type {
  AgentInfo,
  SchedulerAttributeConstraint,
  SchedulerAttributeConstraintPredicate,
  SchedulerAttributeConstraintSelector,
  SchedulerOfferConstraints,
} from '@meseta/wire';
import { RE2JS, RE2JSException } from 're2js';

/** Constraints that passed validation, ready to be asked. */
export interface OfferConstraints {
  readonly source: SchedulerOfferConstraints;
  /** Whether the constraints of the role keep this agent away. */
  excludes(role: string, agent: AgentInfo): boolean;
}

export interface ConstraintProblem {
  readonly code: 'empty' | 'selector' | 'predicate' | 'regex' | 'tooMany';
  /** `offer_constraints.role_constraints["a"].groups[0].attribute_constraints[1].predicate` */
  readonly field: string;
  /** What was expected and what is there. */
  readonly text: string;
}

/** Mesos' --offer_constraints_re2_max_mem and --offer_constraints_re2_max_program_size. */
export interface RegexLimits {
  readonly maxMemoryBytes: number;
  readonly maxProgramSize: number;
}
export const defaultRegexLimits: RegexLimits = { maxMemoryBytes: 4096, maxProgramSize: 100 };

/** What a selector finds. */
interface Asked {
  readonly text: string | undefined;
  readonly found: 'text' | 'other' | 'nothing';
}
type Test = (agent: AgentInfo) => boolean;
type Built<T> = Result<T, ConstraintProblem>;

const problem = (code: ConstraintProblem['code'], field: string, text: string): Built<never> =>
  err({ code, field, text });

export function createOfferConstraints(
  source: SchedulerOfferConstraints,
  limits: RegexLimits = defaultRegexLimits,
): Result<OfferConstraints, ConstraintProblem> {
  const byRole = new Map<string, readonly (readonly Test[])[]>();
  let count = 0;
  for (const [role, { groups = [] }] of Object.entries(source.role_constraints ?? {})) {
    const field = `offer_constraints.role_constraints[${JSON.stringify(role)}].groups`;
    if (groups.length === 0) return problem('empty', field, 'expected at least one group, got none');
    const built: Test[][] = [];
    for (const [i, { attribute_constraints: constraints = [] }] of groups.entries()) {
      const inGroup = `${field}[${i}].attribute_constraints`;
      if (constraints.length === 0) return problem('empty', inGroup, 'expected at least one constraint, got none');
      count += constraints.length;
      const tooMany = overLimit('offerConstraints', 'constraints of all roles', count);
      if (tooMany !== undefined) return problem('tooMany', inGroup, tooMany);
      const tests: Test[] = [];
      for (const [k, constraint] of constraints.entries()) {
        const test = testFrom(constraint, limits, `${inGroup}[${k}]`);
        if (!test.ok) return test;
        tests.push(test.value);
      }
      built.push(tests);
    }
    byRole.set(role, built);
  }
  return ok({
    source,
    excludes(role, agent) {
      const groups = byRole.get(role);
      return groups !== undefined && !groups.some((tests) => tests.every((test) => test(agent)));
    },
  });
}

function testFrom(constraint: SchedulerAttributeConstraint, limits: RegexLimits, field: string): Built<Test> {
  const selector = selectorFrom(constraint.selector, `${field}.selector`);
  if (!selector.ok) return selector;
  const predicate = predicateFrom(constraint.predicate, limits, `${field}.predicate`);
  if (!predicate.ok) return predicate;
  return ok((agent) => predicate.value(selector.value(agent)));
}

const nothing: Asked = { text: undefined, found: 'nothing' };
const textual = (text: string | undefined): Asked => (text === undefined ? nothing : { text, found: 'text' });

function selectorFrom(
  selector: SchedulerAttributeConstraintSelector | undefined,
  field: string,
): Built<(agent: AgentInfo) => Asked> {
  const { attribute_name: name, pseudoattribute_type: pseudo } = selector ?? {};
  if ((name === undefined) === (pseudo === undefined)) {
    return problem('selector', field, 'expected exactly one of attribute_name and a known pseudoattribute_type');
  }
  if (name !== undefined) return ok((agent) => attributeOf(agent, name));
  switch (pseudo) {
    case 'HOSTNAME':
      return ok((agent) => textual(agent.hostname));
    case 'REGION':
      return ok((agent) => textual(agent.domain?.fault_domain?.region.name));
    case 'ZONE':
      return ok((agent) => textual(agent.domain?.fault_domain?.zone.name));
    default:
      return problem('selector', `${field}.pseudoattribute_type`, `expected HOSTNAME, REGION or ZONE, got ${pseudo}`);
  }
}

function attributeOf(agent: AgentInfo, name: string): Asked {
  const attribute = agent.attributes?.find((one) => one.name === name);
  if (attribute === undefined) return nothing;
  return attribute.type === 'TEXT'
    ? { text: attribute.text?.value ?? '', found: 'text' }
    : { text: undefined, found: 'other' };
}

function predicateFrom(
  predicate: SchedulerAttributeConstraintPredicate | undefined,
  limits: RegexLimits,
  field: string,
): Built<(asked: Asked) => boolean> {
  const set = Object.entries(predicate ?? {}).filter(([, value]) => value !== undefined);
  if (predicate === undefined || set.length !== 1) {
    return problem('predicate', field, `expected exactly one known predicate, got ${set.length}`);
  }
  if (predicate.exists) return ok(({ found }) => found !== 'nothing');
  if (predicate.not_exists) return ok(({ found }) => found === 'nothing');
  if (predicate.text_equals) return ok(onText((text, value) => text === value, predicate.text_equals.value, true));
  if (predicate.text_not_equals) {
    return ok(onText((text, value) => text === value, predicate.text_not_equals.value, false));
  }
  const [kind] = set[0] as [string, unknown];
  const regex = predicate.text_matches?.regex ?? predicate.text_not_matches?.regex;
  if (regex === undefined) return problem('predicate', `${field}.${kind}`, 'is not a predicate known here');
  const compiled = compile(regex, limits, `${field}.${kind}.regex`);
  if (!compiled.ok) return compiled;
  return ok(onText((text, pattern) => pattern.matches(text), compiled.value, predicate.text_matches !== undefined));
}

/** `wanted`: the answer of `holds` that satisfies the predicate, which a missing text gives only if false. */
function onText<T>(holds: (text: string, value: T) => boolean, value: T, wanted: boolean): (asked: Asked) => boolean {
  return ({ text, found }) => found === 'other' || (text !== undefined && holds(text, value)) === wanted;
}

/** An instruction of RE2's takes 16 bytes: a program that needs more than the limit for them alone can't be made. */
const memoryOf = (programSize: number): number => programSize * 16;

function compile(regex: string, limits: RegexLimits, field: string): Built<RE2JS> {
  // A longer one can't be small enough, and to compile it takes long.
  const tooLong = overLimit('regex', 'pattern too large', regex.length);
  if (tooLong !== undefined) return problem('regex', field, tooLong);
  let pattern: RE2JS;
  try {
    pattern = RE2JS.compile(regex);
  } catch (failure) {
    if (!(failure instanceof RE2JSException)) throw failure;
    return problem('regex', field, `expected a regular expression of RE2: ${failure.message}`);
  }
  const size = pattern.programSize();
  if (memoryOf(size) > limits.maxMemoryBytes) {
    const most = `at most ${limits.maxMemoryBytes} bytes`;
    return problem('regex', field, `pattern too large - compile failed: ${regex} needs more than ${most}`);
  }
  if (size > limits.maxProgramSize) {
    const most = `larger than the maximum of ${limits.maxProgramSize}`;
    return problem('regex', field, `${regex} is too complex: its program size of ${size} is ${most}`);
  }
  return ok(pattern);
}
