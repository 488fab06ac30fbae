// What one principal may do by the ACLs of one action, as a function from objects to yes or no that looks at no rule
// twice: the rules are gone through once, and what is left is which objects differ from the rest.
//
// Rules (Mesos: docs/authorization.md). An ACL has a side of principals and a side of objects; each is ANY, NONE or a list
// of values. The first ACL that matches both decides, `permissive` if none does. A listed value matches itself; ANY and
// NONE match everything (NONE, to refuse it); a question about no object in particular is matched by ANY and NONE alone,
// and so is a request of nobody in particular. For roles `a/%` stands for everything below `a`, but not for `a`.
//
// VERDICTS-1: equal verdicts have equal keys and unequal ones unequal keys: a value or subtree is kept only if it differs from
//     what holds around it.
import type { ACLEntity } from '@meseta/wire';

export interface Acl {
  readonly principals: ACLEntity;
  readonly objects: ACLEntity;
}

export interface Verdicts {
  /** For everything that neither of the others names, and for questions about no object in particular. */
  readonly otherwise: boolean;
  readonly values: ReadonlyMap<string, boolean>;
  /** By their prefix, `a/` for what is below `a`; the longest one that holds counts. */
  readonly subtrees: ReadonlyMap<string, boolean>;
  readonly key: string;
}

interface Rule {
  readonly values: ReadonlySet<string> | 'all';
  readonly subtrees: ReadonlySet<string>;
  readonly allow: boolean;
}

const NOTHING: ReadonlySet<string> = new Set();

/** undefined: the rule says nothing about this principal. Undefined as a principal is nobody in particular. */
function ruleFor({ principals, objects }: Acl, principal: string | undefined, asRoles: boolean): Rule | undefined {
  const { type = 'SOME', values = [] } = principals;
  if (type === 'SOME' && (principal === undefined || !values.includes(principal))) return undefined;
  const allow = type !== 'NONE' && objects.type !== 'NONE';
  if ((objects.type ?? 'SOME') !== 'SOME') return { values: 'all', subtrees: NOTHING, allow };
  const named = objects.values ?? [];
  const isSubtree = (value: string): boolean => asRoles && value.endsWith('/%');
  return {
    values: new Set(named.filter((value) => !isSubtree(value))),
    subtrees: new Set(named.filter(isSubtree).map((value) => value.slice(0, -1))),
    allow,
  };
}

/** The subtrees that a role lies in, as prefixes, the innermost first; a prefix lies in itself. */
function* around(role: string): Generator<string> {
  for (let end = role.lastIndexOf('/'); end >= 0; end = end > 0 ? role.lastIndexOf('/', end - 1) : -1) {
    yield role.slice(0, end + 1);
  }
}

/** What the first rule says that names the value itself or a subtree around it. */
function firstOf(
  rules: readonly Rule[],
  value: string | undefined,
  subtrees: readonly string[],
  otherwise: boolean,
): boolean {
  for (const rule of rules) {
    if (rule.values === 'all') return rule.allow;
    if ((value !== undefined && rule.values.has(value)) || subtrees.some((prefix) => rule.subtrees.has(prefix)))
      return rule.allow;
  }
  return otherwise;
}

export function verdictsOf(
  acls: readonly Acl[],
  principal: string | undefined,
  permissive: boolean,
  asRoles: boolean,
): Verdicts {
  const rules = acls.flatMap((acl) => ruleFor(acl, principal, asRoles) ?? []);
  const end = rules.findIndex((rule) => rule.values === 'all');
  const otherwise = end < 0 ? permissive : (rules[end] as Rule).allow;
  const named = end < 0 ? rules : rules.slice(0, end);

  // Outer subtrees first, so that an inner one knows what holds around it.
  const prefixes = [...new Set(named.flatMap((rule) => [...rule.subtrees]))].sort();
  const subtrees = new Map<string, boolean>();
  for (const prefix of prefixes) {
    const verdict = firstOf(named, undefined, [...around(prefix)], otherwise);
    if (verdict !== nearest(subtrees, prefix, otherwise)) subtrees.set(prefix, verdict);
  }
  const values = new Map<string, boolean>();
  for (const value of new Set(named.flatMap((rule) => (rule.values === 'all' ? [] : [...rule.values])))) {
    const verdict = firstOf(named, value, asRoles ? [...around(value)] : [], otherwise);
    if (verdict !== nearest(subtrees, value, otherwise)) values.set(value, verdict);
  }
  return { otherwise, values, subtrees, key: keyOf(otherwise, values, subtrees) };
}

function nearest(subtrees: ReadonlyMap<string, boolean>, role: string, otherwise: boolean): boolean {
  if (subtrees.size === 0) return otherwise;
  for (const prefix of around(role)) {
    const verdict = subtrees.get(prefix);
    if (verdict !== undefined) return verdict;
  }
  return otherwise;
}

/** `value` undefined asks about no object in particular. */
export const verdictOn = ({ otherwise, values, subtrees }: Verdicts, value: string | undefined): boolean =>
  value === undefined ? otherwise : (values.get(value) ?? nearest(subtrees, value, otherwise));

const byText = ([one]: readonly [string, boolean], [other]: readonly [string, boolean]): number =>
  one < other ? -1 : one > other ? 1 : 0;

function keyOf(
  otherwise: boolean,
  values: ReadonlyMap<string, boolean>,
  subtrees: ReadonlyMap<string, boolean>,
): string {
  if (values.size === 0 && subtrees.size === 0) return otherwise ? '*' : '-';
  return JSON.stringify([otherwise, [...values].sort(byText), [...subtrees].sort(byText)]);
}
