// A tree of the roles in use and their ancestors.
//
// Owns: a node for each role in use and each of its ancestors, with the number of users.
// Boundary: frameworks, quota and weights are in the values of nodes, which belong to the owner.
// ROLE-TREE-1: a node exists while it has a user or a child.
// ROLE-TREE-2: children and top-level nodes are sorted by role (code units).
import { assert } from '@meseta/base';
import { parentOf } from './roles.js';

export interface RoleNode<T> {
  readonly role: string;
  readonly parent: RoleNode<T> | undefined;
  readonly children: readonly RoleNode<T>[];
  /** Belongs to the owner. */
  readonly value: T;
}

export interface RoleTree<T> {
  /** Adds a user of the role; creates its node and those of its ancestors if they are missing. */
  add(role: string): RoleNode<T>;
  /** Removes a user of the role, which must have one. */
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

/** Creates an empty tree; `create` creates the value of each new node. */
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

  /** Returns the node of a role; creates it and its missing ancestors, the topmost first. */
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
      assert(node !== undefined && node.users > 0, `the role ${role} has no users`);
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

/** The index of the role among sorted siblings, or the index at which to insert it. */
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
