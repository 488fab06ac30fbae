// Role names: `*`, or a path such as `eng/web`, a child of `eng` (Mesos' docs/roles.md).
import { err, LIMITS, ok, overLimit, type Result } from '@meseta/base';

/** Horizontal tab, line feed, vertical tab, form feed, carriage return, space, delete. */
const FORBIDDEN = ['\t', '\n', '\v', '\f', '\r', ' ', '\x7f'];

/** Validates the name of a role; the error has the reason. */
export function validateRole(role: string): Result<undefined, string> {
  if (role === '*') return ok(undefined);
  const start = `${role.slice(0, 60)}...`;
  const tooLong = overLimit('role', `role ${JSON.stringify(start)}`, role.length);
  if (tooLong !== undefined) return err(tooLong);
  const wrong = (why: string): Result<undefined, string> => err(`role ${JSON.stringify(role)}: ${why}`);
  if (role === '') return wrong('expected a name, got an empty string');
  if (role.startsWith('/')) return wrong('must not start with a slash');
  if (role.endsWith('/')) return wrong('must not end with a slash');
  const components = role.split('/');
  if (components.length > LIMITS.roleDepth.most) {
    return wrong(`expected at most ${LIMITS.roleDepth.most} parts, got ${components.length}`);
  }
  for (const component of components) {
    if (component === '') return wrong('must not have two slashes in a row');
    if (component === '.' || component === '..' || component === '*')
      return wrong(`must not have a part "${component}"`);
    if (component.startsWith('-')) return wrong('no part may start with a dash');
    if (FORBIDDEN.some((character) => component.includes(character)))
      return wrong('must not contain whitespace or delete');
  }
  return ok(undefined);
}

/** Whether `ancestor` is an ancestor of the role, as `eng` is of `eng/web`. */
export const isAncestor = (ancestor: string, role: string): boolean =>
  role.length > ancestor.length && role.charCodeAt(ancestor.length) === 47 && role.startsWith(ancestor);

/** Whether the role is `top` or one of its descendants. */
export const isInSubtree = (role: string, top: string): boolean => role === top || isAncestor(top, role);

export function parentOf(role: string): string | undefined {
  const slash = role.lastIndexOf('/');
  return slash < 0 ? undefined : role.slice(0, slash);
}

/** The ancestors of a role, the nearest first: `a/b` and `a` for `a/b/c`. */
export function ancestorsOf(role: string): readonly string[] {
  const ancestors: string[] = [];
  for (let above = parentOf(role); above !== undefined; above = parentOf(above)) ancestors.push(above);
  return ancestors;
}

/** The name of the directory of a role's persistent volumes. No role has a space. */
export const volumeDirectory = (role: string): string => role.replaceAll('/', ' ');
