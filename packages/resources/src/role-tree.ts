// The roles in use, as a tree of their paths.
//
// Owns: one node a role that somebody uses and one for every role above it; how many use each.
// Boundary: it knows nothing of frameworks, quota or weights; the owner keeps those in a node's value.
// ROLE-TREE-1: a node is there exactly while it has a user or a child.
// ROLE-TREE-2: children are sorted by role (code units); so are the top-level nodes.
import { assert } from '@meseta/base';
import { parentOf } from './roles.js';

export interface RoleNode<T> {
  readonly role: string;
  readonly parent: RoleNode<T> | undefined;
  readonly children: readonly RoleNode<T>[];
  /** What the owner keeps with the role. */
  readonly value: T;
}

export interface RoleTree<T> {
  /** Counts one more user of the role, making it and what is missing above it. */
  add(role: string): RoleNode<T>;
  /** Counts one user fewer. The role must have one. */
  remove(role: string): void;
  get(role: string): RoleNode<T> | undefined;
  readonly topLevel: readonly RoleNode<T>[];
  readonly size: number;
}

interface Node<T> extends RoleNode<T> {
  readonly parent: Node<T> | undefined;
  readonly children: Node<T>[];
  users: number;
}

/** An empty tree; `create` makes the value of each new node. */
export function createRoleTree<T>(create: (role: string) => T): RoleTree<T> {
  const nodes = new Map<string, Node<T>>();
  const topLevel: Node<T>[] = [];
  const siblingsOf = (node: Node<T>): Node<T>[] => node.parent?.children ?? topLevel;

  const insert = (role: string, parent: Node<T> | undefined): Node<T> => {
    const node: Node<T> = { role, parent, children: [], value: create(role), users: 0 };
    const siblings = siblingsOf(node);
    siblings.splice(position(siblings, role), 0, node);
    nodes.set(role, node);
    return node;
  };

  /** The node of a role, made together with those above it that are missing, the topmost first. */
  const make = (role: string): Node<T> => {
    const missing: string[] = [];
    let above: string | undefined = role;
    while (above !== undefined && !nodes.has(above)) {
      missing.push(above);
      above = parentOf(above);
    }
    let node = above === undefined ? undefined : nodes.get(above);
    for (let i = missing.length - 1; i >= 0; i--) node = insert(missing[i] as string, node);
    return node as Node<T>;
  };

  const prune = (from: Node<T>): void => {
    let node: Node<T> | undefined = from;
    while (node !== undefined && node.users === 0 && node.children.length === 0) {
      const siblings = siblingsOf(node);
      siblings.splice(position(siblings, node.role), 1);
      nodes.delete(node.role);
      node = node.parent;
    }
  };

  return {
    add(role) {
      const node = make(role);
      node.users++;
      return node;
    },
    remove(role) {
      const node = nodes.get(role);
      assert(node !== undefined && node.users > 0, `nobody uses the role ${role}`);
      node.users--;
      prune(node);
    },
    get: (role) => nodes.get(role),
    topLevel,
    get size() {
      return nodes.size;
    },
  };
}

/** Where the role is, or is to be, among sorted siblings. */
function position(siblings: readonly { readonly role: string }[], role: string): number {
  let low = 0;
  let high = siblings.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((siblings[middle] as { role: string }).role < role) low = middle + 1;
    else high = middle;
  }
  return low;
}
