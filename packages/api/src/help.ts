// /help: the endpoints by their declarations. It has Mesos' paths: /help, /help/PROCESS and /help/PROCESS/ENDPOINT, where a
// process is `master`, `slave(1)`, `metrics` and so on; /help?format=json is the document that Mesos' tools read.
import { componentEndpoints } from './components.js';
import { aliasOf } from './endpoints.js';
import { methodsOf } from './router.js';
import type { Component, EndpointDefinition } from './types.js';

interface Placed {
  readonly process: string;
  /** The path after the process, with its first slash. */
  readonly name: string;
  readonly endpoint: EndpointDefinition;
}

/** An endpoint without an alias belongs to the process that its path begins with. */
function placesOf(component: Component): readonly Placed[] {
  return componentEndpoints(component).map((endpoint) => {
    if (endpoint.aliased) return { process: aliasOf[component].slice(1), name: endpoint.path, endpoint };
    const [, process = '', ...rest] = endpoint.path.split('/');
    return { process, name: `/${rest.join('/')}`, endpoint };
  });
}

const lineOf = (endpoint: EndpointDefinition): string =>
  `${methodsOf(endpoint).join(' ').padEnd(22)} ${endpoint.path.padEnd(28)} ${endpoint.summary}`;

function pageOf(endpoint: EndpointDefinition, component: Component): string {
  const lines = [
    `${endpoint.path}: ${endpoint.summary}`,
    `methods: ${methodsOf(endpoint).join(', ')}`,
    ...(endpoint.aliased ? [`also: ${aliasOf[component]}${endpoint.path}`] : []),
    ...Object.entries(endpoint.query ?? {}).map(([name, what]) => `?${name}= ${what}`),
    ...(endpoint.jsonp ? ['?jsonp= the function that the response calls'] : []),
    `authentication: ${endpoint.realm}`,
    ...(endpoint.action === undefined ? [] : [`authorization: ${endpoint.action}`]),
    ...(endpoint.leader ? ['handled by the leading master; other masters redirect to it'] : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** The text of /help for the rest of its path; undefined if there is no such endpoint. */
export function helpText(component: Component, rest: string): string | undefined {
  const places = placesOf(component);
  if (rest === '') return `${places.map(({ endpoint }) => lineOf(endpoint)).join('\n')}\n`;
  const found = places.find(
    ({ process, name, endpoint }) => `${process}${name}` === rest || endpoint.path === `/${rest}`,
  );
  if (found !== undefined) return pageOf(found.endpoint, component);
  const within = places.filter(({ process }) => process === rest);
  return within.length === 0 ? undefined : `${within.map(({ endpoint }) => lineOf(endpoint)).join('\n')}\n`;
}

export interface HelpDocument {
  readonly processes: readonly {
    readonly id: string;
    readonly endpoints: readonly { readonly name: string; readonly text: string }[];
  }[];
}

export function helpDocument(component: Component): HelpDocument {
  const places = placesOf(component);
  const ids = [...new Set(places.map(({ process }) => process))].sort();
  return {
    processes: ids.map((id) => ({
      id,
      endpoints: places
        .filter(({ process }) => process === id)
        .map(({ name, endpoint }) => ({ name, text: pageOf(endpoint, component) })),
    })),
  };
}
