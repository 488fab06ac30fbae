// docs/coverage.md: every endpoint, call, event, flag and metric of Mesos, and whether Meseta supports it. Meseta's side
// comes from the declarations and the running code. Mesos' side comes from the schema and from the lists of facts beside the
// checkout, or without those from the committed table.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { agentFlags } from '../../packages/agent/src/shell/flags.js';
import { aliasOf, type Component, componentEndpoints, methodsOf, sampleOf } from '../../packages/api/src/index.js';
import { masterFlags } from '../../packages/master/src/shell/flags.js';
import type { FlagTable } from '../../packages/platform/src/flags.js';
import { agentMetricKinds, generalName, masterMetricKinds } from './metric-names.js';
import { reasons } from './reasons.js';

export const COVERAGE_FILE = 'docs/coverage.md';
const FACTS = '../shared/facts';

type Row = readonly string[];

const whyNot = (what: string): string => reasons.find(([pattern]) => pattern.test(what))?.[1] ?? 'not there yet';

/** The rows of a list of facts without its header; undefined if the list does not exist. */
function factsOf(name: string): readonly Row[] | undefined {
  const path = join(FACTS, name);
  if (!existsSync(path)) return undefined;
  const lines = readFileSync(path, 'utf8').trim().split(/\r?\n/).slice(1);
  return lines.map((line) => line.split(','));
}

/** The first columns of a section's rows in the committed document. */
function committed(section: string): readonly string[] {
  if (!existsSync(COVERAGE_FILE)) return [];
  const text = readFileSync(COVERAGE_FILE, 'utf8');
  const [, after = ''] = text.split(`## ${section}\n`);
  return [...(after.split('\n## ')[0] ?? '').matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name as string);
}

const cell = (text: string): string => text.replaceAll('|', '\\|');
const code = (text: string): string => `\`${text}\``;

const table = (head: Row, rows: readonly Row[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');

const section = (title: string, head: Row, rows: readonly Row[]): string => `## ${title}\n\n${table(head, rows)}\n`;

function endpointRows(component: Component): readonly Row[] {
  const title = component === 'master' ? 'Master: endpoints' : 'Agent: endpoints';
  const declared = componentEndpoints(component);
  const facts = (factsOf('routes.csv') ?? [])
    .filter(([of]) => of === component || of === 'both')
    .map(([, , path = '']) => path);
  const missing = [...facts, ...committed(title)].filter(
    (path) => !declared.some((endpoint) => endpoint.path === path),
  );
  return [
    ...declared.map((endpoint) => {
      const refused = reasons.find(([pattern]) => pattern.test(`endpoint ${component} ${endpoint.path}`))?.[1];
      const alias = endpoint.aliased ? code(aliasOf[component] + endpoint.path) : '';
      return [code(endpoint.path), methodsOf(endpoint).join(' '), alias, refused ?? 'done'];
    }),
    ...[...new Set(missing)].map((path) => [code(path), '', '', whyNot(`endpoint ${component} ${path}`)]),
  ];
}

/** The values of the enum `Type` in a message of the schema. */
function typesOf(proto: string, message: string): readonly string[] {
  const text = readFileSync(`packages/wire/proto/${proto}.proto`, 'utf8');
  const [, after = ''] = text.split(`message ${message} {`);
  const [, body = ''] = /enum Type \{([^}]*)\}/.exec(after) ?? [];
  return [...body.matchAll(/^\s*([A-Z_0-9]+) = \d+/gm)]
    .map(([, name]) => name as string)
    .filter((n) => n !== 'UNKNOWN');
}

function sourcesBelow(folder: string): string {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !/\.test\.ts$|^testing/.test(entry.name))
    .map((entry) => readFileSync(join(entry.parentPath ?? entry.path, entry.name), 'utf8'))
    .join('\n');
}

/** A kind of call or event of an API. */
interface ApiKind {
  readonly name: string;
  readonly proto: string;
  readonly message: string;
  /** The code that implements it: it is supported if that code names it. */
  readonly servedBy: readonly string[];
}

const apiKinds: readonly ApiKind[] = [
  {
    name: 'master call',
    proto: 'master',
    message: 'Call',
    servedBy: ['packages/master/src/core', 'packages/master/src/shell', 'packages/master/src/views'],
  },
  {
    name: 'master event',
    proto: 'master',
    message: 'Event',
    servedBy: ['packages/master/src/views', 'packages/master/src/shell'],
  },
  {
    name: 'agent call',
    proto: 'agent',
    message: 'Call',
    servedBy: ['packages/agent/src/shell', 'packages/agent/src/core'],
  },
  { name: 'scheduler call', proto: 'scheduler', message: 'Call', servedBy: ['packages/master/src/core'] },
  { name: 'scheduler event', proto: 'scheduler', message: 'Event', servedBy: ['packages/master/src/core'] },
  { name: 'executor call', proto: 'executor', message: 'Call', servedBy: ['packages/agent/src/core'] },
  { name: 'executor event', proto: 'executor', message: 'Event', servedBy: ['packages/agent/src/core'] },
  { name: 'resource provider call', proto: 'resource_provider', message: 'Call', servedBy: [] },
  { name: 'resource provider event', proto: 'resource_provider', message: 'Event', servedBy: [] },
];

const kindRows = ({ name, proto, message, servedBy }: ApiKind): readonly Row[] => {
  const sources = servedBy.map(sourcesBelow).join('\n');
  return typesOf(proto, message).map((type) => {
    const isNamed = new RegExp(`'${type}'|^\\s*${type}: `, 'm').test(sources);
    return [code(type), isNamed ? 'done' : whyNot(`${name} ${type}`)];
  });
};

function flagRows(component: Component): readonly Row[] {
  const known: FlagTable = component === 'master' ? masterFlags : agentFlags;
  const mesos = (factsOf('flags.csv') ?? [])
    .filter(([of]) => of === component || of === 'both')
    .map(([, flag = '']) => flag);
  const title = component === 'master' ? 'Master: flags' : 'Agent: flags';
  const aliases = new Set(Object.values(known).flatMap((flag) => flag.aliases));
  const names = [...new Set([...mesos, ...committed(title), ...Object.keys(known)])]
    .filter((name) => !aliases.has(name))
    .sort();
  return names.map((name) => {
    const flag = known[name];
    const state = flag?.status === 'used' ? 'done' : whyNot(`flag ${component} ${name}`);
    return [
      code(name),
      (flag?.aliases ?? []).map(code).join(' '),
      flag?.default === undefined ? '' : code(flag.default),
      state,
    ];
  });
}

function metricRows(): readonly Row[] {
  const metrics = new Map([...masterMetricKinds(), ...agentMetricKinds()]);
  const mesos = (factsOf('metrics.csv') ?? []).map(([, , metric = '']) => generalName(metric));
  const names = [...new Set([...mesos, ...committed('Metrics'), ...metrics.keys()])].sort();
  return names.map((name) => {
    const kind = metrics.get(name);
    if (kind === undefined) return [code(name), '', '', whyNot(`metric ${name}`)];
    return [code(name), kind, code(sampleOf(name, kind).name), 'done'];
  });
}

const head = `# Coverage

What of Mesos' interfaces is there. Made by \`node scripts/coverage.mjs\` from the declarations of endpoints and calls, the
tables of flags, and the metrics that a master and an agent show; a test compares this page with what it would be now.
"done" means: it does here what it does in Mesos. Endpoints below \`/api/meseta/v1\`, \`/metrics\` and \`/openapi.json\` are
Meseta's own.
`;

export function coverageDocument(): string {
  const endpointHead = ['path', 'methods', 'also as', ''];
  const flagHead = ['flag', 'also as', 'default', ''];
  const parts = [
    head,
    section('Master: endpoints', endpointHead, endpointRows('master')),
    section('Agent: endpoints', endpointHead, endpointRows('agent')),
    ...apiKinds.map((kind) =>
      section(`${kind.name[0]?.toUpperCase()}${kind.name.slice(1)}s`, ['name', ''], kindRows(kind)),
    ),
    section('Master: flags', flagHead, flagRows('master')),
    section('Agent: flags', flagHead, flagRows('agent')),
    section('Metrics', ['name', 'type', 'at /metrics', ''], metricRows()),
  ];
  return parts.join('\n');
}
