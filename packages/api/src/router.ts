// Finds the endpoint of a path. As in Mesos' libprocess, `/master/state` and `/state` are one endpoint, a trailing slash does
// not count, and a longer path belongs to the longest prefix that is an endpoint (`/quota/web` to quota, with the rest `web`).
import { withoutTrailing } from '@meseta/base';
import { aliasOf } from './endpoints.js';
import type { Component, EndpointDefinition, Method } from './types.js';

export interface Match<Name extends string> {
  readonly name: Name;
  readonly endpoint: EndpointDefinition;
  /** The rest of the path after the endpoint's and one slash, without slashes at its end. */
  readonly rest: string;
}

/** A request whose endpoint is known and which has not been authenticated. */
export interface ArrivedRequest {
  readonly method: string;
  readonly endpoint: EndpointDefinition;
  /** The rest of the path after the endpoint's. */
  readonly rest: string;
  /** It asks for JSON in a function call (`?jsonp=`). */
  readonly jsonp: boolean;
  /** The connection has a verified client certificate. */
  readonly certified: boolean;
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined };
}

export type Router<Name extends string> = (path: string) => Match<Name> | undefined;

/** The router of a component's endpoints. Paths are percent-encoded, without the query. */
export function createRouter<Name extends string>(
  component: Component,
  endpoints: { readonly [N in Name]: EndpointDefinition },
): Router<Name> {
  const byPath = new Map<string, Name>();
  /** The first parts of paths that name a process of libprocess: the component, and others that have endpoints. */
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
    // Endpoints have no longer paths, so that a path of many parts needs few comparisons.
    for (let end = endOfPart(whole, longest); end > 0; end = whole.lastIndexOf('/', end - 1)) {
      const name = byPath.get(whole.slice(0, end));
      if (name !== undefined) return { name, endpoint: endpoints[name], rest: whole.slice(end + 1) };
    }
    return undefined;
  };
}

/** The end of the last part of the path that ends within `most` characters; 0 if there is none. */
const endOfPart = (path: string, most: number): number =>
  path.length <= most ? path.length : Math.max(0, path.lastIndexOf('/', most));

/** `/master` of `/master/state`. */
const firstPart = (path: string): string => /^\/[^/]*/.exec(path)?.[0] ?? '';

/**
 * Removes the slashes that libprocess ignores: those after the name of a process (`/master//state`), and those before an
 * endpoint of the component (`//state`). Several slashes before the name of a process are not ignored, so `//master/state`
 * and `//version` are not endpoints.
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

/** The methods of an endpoint, in the order of the header `Allow`. */
export const methodsOf = (endpoint: EndpointDefinition): readonly Method[] => Object.keys(endpoint.methods) as Method[];
