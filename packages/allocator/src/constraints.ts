// Offer constraints: the agents that a framework excludes from its offers, by role (mesos/v1/scheduler: OfferConstraints).
//
// At least one group of a role must hold; a group holds if all its constraints hold. A role without groups excludes no
// agent. A constraint tests the first attribute of a name, or a pseudo-attribute. On an attribute that is not TEXT every
// text predicate holds, negated or not. On a missing attribute a text predicate fails and a negated one holds.
import { err, ok, overLimit, type Result } from '@meseta/base';
import type {
  AgentInfo,
  SchedulerAttributeConstraint,
  SchedulerAttributeConstraintPredicate,
  SchedulerAttributeConstraintSelector,
  SchedulerOfferConstraints,
} from '@meseta/wire';
import { RE2JS, RE2JSException } from 're2js';

/** Constraints that passed validation, compiled. */
export interface OfferConstraints {
  readonly source: SchedulerOfferConstraints;
  /** Whether the constraints of the role exclude the agent. */
  excludes(role: string, agent: AgentInfo): boolean;
}

export interface ConstraintProblem {
  readonly code: 'empty' | 'selector' | 'predicate' | 'regex' | 'tooMany';
  /** `offer_constraints.role_constraints["a"].groups[0].attribute_constraints[1].predicate` */
  readonly field: string;
  /** What was expected, and the value. */
  readonly text: string;
}

/** Mesos' --offer_constraints_re2_max_mem and --offer_constraints_re2_max_program_size. */
export interface RegexLimits {
  readonly maxMemoryBytes: number;
  readonly maxProgramSize: number;
}
export const defaultRegexLimits: RegexLimits = { maxMemoryBytes: 4096, maxProgramSize: 100 };

/** What a selector selects of an agent. */
interface Selected {
  readonly text: string | undefined;
  readonly kind: 'text' | 'other' | 'nothing';
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

const nothing: Selected = { text: undefined, kind: 'nothing' };
const textOf = (text: string | undefined): Selected => (text === undefined ? nothing : { text, kind: 'text' });

function selectorFrom(
  selector: SchedulerAttributeConstraintSelector | undefined,
  field: string,
): Built<(agent: AgentInfo) => Selected> {
  const { attribute_name: name, pseudoattribute_type: pseudo } = selector ?? {};
  if ((name === undefined) === (pseudo === undefined)) {
    return problem('selector', field, 'expected exactly one of attribute_name and a known pseudoattribute_type');
  }
  if (name !== undefined) return ok((agent) => attributeOf(agent, name));
  switch (pseudo) {
    case 'HOSTNAME':
      return ok((agent) => textOf(agent.hostname));
    case 'REGION':
      return ok((agent) => textOf(agent.domain?.fault_domain?.region.name));
    case 'ZONE':
      return ok((agent) => textOf(agent.domain?.fault_domain?.zone.name));
    default:
      return problem('selector', `${field}.pseudoattribute_type`, `expected HOSTNAME, REGION or ZONE, got ${pseudo}`);
  }
}

function attributeOf(agent: AgentInfo, name: string): Selected {
  const attribute = agent.attributes?.find((one) => one.name === name);
  if (attribute === undefined) return nothing;
  return attribute.type === 'TEXT'
    ? { text: attribute.text?.value ?? '', kind: 'text' }
    : { text: undefined, kind: 'other' };
}

function predicateFrom(
  predicate: SchedulerAttributeConstraintPredicate | undefined,
  limits: RegexLimits,
  field: string,
): Built<(selected: Selected) => boolean> {
  const set = Object.entries(predicate ?? {}).filter(([, value]) => value !== undefined);
  if (predicate === undefined || set.length !== 1) {
    return problem('predicate', field, `expected exactly one known predicate, got ${set.length}`);
  }
  if (predicate.exists) return ok(({ kind }) => kind !== 'nothing');
  if (predicate.not_exists) return ok(({ kind }) => kind === 'nothing');
  if (predicate.text_equals) return ok(onText((text, value) => text === value, predicate.text_equals.value, true));
  if (predicate.text_not_equals) {
    return ok(onText((text, value) => text === value, predicate.text_not_equals.value, false));
  }
  const [name] = set[0] as [string, unknown];
  const regex = predicate.text_matches?.regex ?? predicate.text_not_matches?.regex;
  if (regex === undefined) return problem('predicate', `${field}.${name}`, 'is not a known predicate');
  const compiled = compile(regex, limits, `${field}.${name}.regex`);
  if (!compiled.ok) return compiled;
  return ok(onText((text, pattern) => pattern.matches(text), compiled.value, predicate.text_matches !== undefined));
}

/** `wanted`: the result of `holds` that satisfies the predicate; a missing text counts as false. */
function onText<T>(
  holds: (text: string, value: T) => boolean,
  value: T,
  wanted: boolean,
): (selected: Selected) => boolean {
  return ({ text, kind }) => kind === 'other' || (text !== undefined && holds(text, value)) === wanted;
}

/** The bytes of the program's instructions, 16 each in RE2: a lower bound of the memory that RE2 needs. */
const memoryOf = (programSize: number): number => programSize * 16;

function compile(regex: string, limits: RegexLimits, field: string): Built<RE2JS> {
  // Checked first, because compiling a long expression takes long.
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
