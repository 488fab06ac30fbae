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
// VERDICTS-2: a verdict looks up no more prefixes of a role than the longest prefix in the ACLs has characters, however long
//     the role is that a peer sends.
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
  /** No prefix in `subtrees` has more characters. */
  readonly longestPrefix: number;
  /** Verdicts with equal keys allow the same; `*` allows everything, `-` nothing. */
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

/**
 * The prefixes of the subtrees that contain a role, the innermost first; a prefix contains itself. `mostCharacters` leaves
 * out longer prefixes: to look up each prefix of a role of many slashes takes time quadratic in its length.
 */
function* prefixesOf(role: string, mostCharacters: number): Generator<string> {
  for (let end = mostCharacters; end > 0; ) {
    const slash = role.lastIndexOf('/', end - 1);
    if (slash < 0) return;
    yield role.slice(0, slash + 1);
    end = slash;
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

/**
 * The verdicts of one action's ACLs for a principal, which is undefined for a request without one. `permissive`: the verdict
 * where no ACL matches. `asRoles`: the objects are roles, so that `a/%` is a subtree.
 */
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
  const longestPrefix = prefixes.reduce((longest, { length }) => Math.max(longest, length), 0);
  const known = { otherwise, subtrees, longestPrefix };
  for (const prefix of prefixes) {
    const verdict = firstOf(named, undefined, [...prefixesOf(prefix, prefix.length)], otherwise);
    if (verdict !== verdictOfSubtree(known, prefix)) subtrees.set(prefix, verdict);
  }
  const values = new Map<string, boolean>();
  for (const value of new Set(named.flatMap((rule) => (rule.values === 'all' ? [] : [...rule.values])))) {
    const verdict = firstOf(named, value, asRoles ? [...prefixesOf(value, value.length)] : [], otherwise);
    if (verdict !== verdictOfSubtree(known, value)) values.set(value, verdict);
  }
  return { ...known, values, key: keyOf(otherwise, values, subtrees) };
}

type Subtrees = Pick<Verdicts, 'otherwise' | 'subtrees' | 'longestPrefix'>;

/** The verdict of the innermost subtree that contains the role; `otherwise` if none does. */
function verdictOfSubtree({ otherwise, subtrees, longestPrefix }: Subtrees, role: string): boolean {
  for (const prefix of prefixesOf(role, longestPrefix)) {
    const verdict = subtrees.get(prefix);
    if (verdict !== undefined) return verdict;
  }
  return otherwise;
}

/** `value` is undefined for a query without an object. */
export const verdictOn = (verdicts: Verdicts, value: string | undefined): boolean =>
  value === undefined ? verdicts.otherwise : (verdicts.values.get(value) ?? verdictOfSubtree(verdicts, value));

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
