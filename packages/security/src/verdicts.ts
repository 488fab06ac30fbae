// The decisions of one action's ACLs for one principal, as a function from objects to allowed or refused. The ACLs are
// evaluated once, into the objects whose verdict differs from the verdict of all others.
//
// Rules (Mesos: docs/authorization.md): an ACL has principals and objects; each is ANY, NONE or a list of values. The first
// ACL that matches both decides, and `permissive` if none matches. A value in a list matches itself. ANY and NONE match
// everything, NONE to refuse it. Only ANY and NONE match a query without an object, or a request without a principal. In
// lists of roles `a/%` matches every role below `a`, but not `a`.
//
// VERDICTS-1: verdicts allow what the ACLs allow one by one, and have equal keys exactly if they allow the same: a value or
//     subtree is kept only if its verdict differs from that of the subtree around it.
import type { ACLEntity } from '@meseta/wire';

export interface Acl {
  readonly principals: ACLEntity;
  readonly objects: ACLEntity;
}

export interface Verdicts {
  /** The verdict on everything that is not in `values` and `subtrees`, and on queries without an object. */
  readonly otherwise: boolean;
  readonly values: ReadonlyMap<string, boolean>;
  /** By prefix: `a/` for the roles below `a`. The longest prefix counts. */
  readonly subtrees: ReadonlyMap<string, boolean>;
  readonly key: string;
}

interface Rule {
  readonly values: ReadonlySet<string> | 'all';
  readonly subtrees: ReadonlySet<string>;
  readonly allow: boolean;
}

const NOTHING: ReadonlySet<string> = new Set();

/** Undefined if the ACL does not match the principal, which is undefined for requests without one. */
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

/** The prefixes of the subtrees that contain a role, the innermost first; a prefix contains itself. */
function* around(role: string): Generator<string> {
  for (let end = role.lastIndexOf('/'); end >= 0; end = end > 0 ? role.lastIndexOf('/', end - 1) : -1) {
    yield role.slice(0, end + 1);
  }
}

/** The verdict of the first rule that names the value or a subtree around it. */
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

  // Outer subtrees first, as the verdict of an inner one is compared with them.
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

/** `value` is undefined for a query without an object. */
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
