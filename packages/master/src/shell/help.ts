// /help: the endpoints as their declarations say, one line each; /help/NAME one of them.
import { aliasOf, type EndpointDefinition, masterEndpoints, methodsOf } from '@meseta/api';
import { answerText, type Exchange } from './exchange.js';

const endpoints: readonly EndpointDefinition[] = Object.values(masterEndpoints);

const lineOf = (endpoint: EndpointDefinition): string =>
  `${methodsOf(endpoint).join(' ').padEnd(22)} ${endpoint.path.padEnd(24)} ${endpoint.summary}`;

const pageOf = (endpoint: EndpointDefinition): string =>
  [
    `${endpoint.path}: ${endpoint.summary}`,
    `methods: ${methodsOf(endpoint).join(', ')}`,
    ...(endpoint.aliased ? [`also: ${aliasOf.master}${endpoint.path}`] : []),
    `authentication: ${endpoint.realm}`,
    ...(endpoint.action === undefined ? [] : [`authorization: ${endpoint.action}`]),
  ].join('\n');

export function helpPage({ response, match }: Exchange): void {
  const asked = `/${match.rest.replace(/^master\//, '')}`;
  const endpoint = endpoints.find(({ path }) => path === asked);
  if (asked === '/') answerText(response, 200, `${endpoints.map(lineOf).join('\n')}\n`);
  else if (endpoint === undefined) answerText(response, 404, `404 Not Found: no endpoint ${asked}\n`);
  else answerText(response, 200, `${pageOf(endpoint)}\n`);
}
