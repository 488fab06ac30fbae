// Which endpoint answers a path. As in Mesos' libprocess: `/master/state` and `/state` are one, a trailing slash doesn't
// count, and a longer path falls back to the longest registered prefix (`/quota/web` is quota's, with `web` left over).
import { withoutTrailing } from '@meseta/base';
import { aliasOf } from './endpoints.js';
import type { Component, EndpointDefinition, Method } from './types.js';

export interface Match<Name extends string> {
  readonly name: Name;
  readonly endpoint: EndpointDefinition;
  /** What is left of the path behind the endpoint's own, without slashes at its ends. */
  readonly rest: string;
}

export type Router<Name extends string> = (path: string) => Match<Name> | undefined;

/** The router of a component's endpoints; paths come without the query, still percent-encoded. */
export function createRouter<Name extends string>(
  component: Component,
  endpoints: { readonly [N in Name]: EndpointDefinition },
): Router<Name> {
  const byPath = new Map<string, Name>();
  /** The first parts of paths that name a process: the component, and those that have endpoints of their own. */
  const processes = new Set<string>([aliasOf[component]]);
  for (const [name, endpoint] of Object.entries(endpoints) as [Name, EndpointDefinition][]) {
    byPath.set(endpoint.path, name);
    if (endpoint.aliased) byPath.set(aliasOf[component] + endpoint.path, name);
    else processes.add(firstPart(endpoint.path));
  }
  const longest = Math.max(...[...byPath.keys()].map(({ length }) => length));
  return (path) => {
    const decoded = decodePath(path);
    const whole = decoded && singleSlashed(withoutTrailing(decoded, '/'), processes);
    if (whole === undefined) return undefined;
    // No path of an endpoint is longer: a long one of a thousand parts is not compared part by part.
    for (let end = endOfPart(whole, longest); end > 0; end = whole.lastIndexOf('/', end - 1)) {
      const name = byPath.get(whole.slice(0, end));
      if (name !== undefined) return { name, endpoint: endpoints[name], rest: whole.slice(end + 1) };
    }
    return undefined;
  };
}

/** Where the last part ends that ends within `most` characters; 0: none does. */
const endOfPart = (path: string, most: number): number =>
  path.length <= most ? path.length : Math.max(0, path.lastIndexOf('/', most));

/** `/master` of `/master/state`. */
const firstPart = (path: string): string => /^\/[^/]*/.exec(path)?.[0] ?? '';

/**
 * The path without the slashes that don't count in libprocess: those behind the name of a process (`/master//state`), and
 * those before an endpoint that is the component's own (`//state`). Before the name of a process they hide it, so
 * `//master/state` and `//version` are no endpoint's.
 */
function singleSlashed(path: string, processes: ReadonlySet<string>): string | undefined {
  const single = path.replace(/^\/+/, '/');
  const first = firstPart(single);
  if (!processes.has(first)) return single;
  return single === path ? first + path.slice(first.length).replace(/^\/+/, '/') : undefined;
}

const decodePath = (path: string): string | undefined => {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
};

/** The methods that an endpoint takes, in the order in which `Allow` names them. */
export const methodsOf = (endpoint: EndpointDefinition): readonly Method[] => Object.keys(endpoint.methods) as Method[];
