// Mesos' metrics in Prometheus' text form: names that hold a framework, a role, a resource or a state become one metric
// with labels, the rest keep their words. Counters end in `_total`. (Prometheus: text-based exposition format 0.0.4.)

export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export type MetricKind = 'counter' | 'gauge';

/** States that operations leave again; how many reached one of the others is counted. */
const passing = ['pending', 'recovering', 'unreachable', 'total'];

const counters: readonly RegExp[] = [
  '^master/slave_(?:registrations|reregistrations|removals|shutdowns_|unreachable_)',
  '^master/(?:messages_|valid_|invalid_|dropped_messages$|recovery_slave_removals$|http_cache_hits$)',
  '^(?:master|slave)/tasks_(?:dropped|error|failed|finished|gone|gone_by_operator|killed|lost)$',
  '^master/task_[^/]+/source_',
  '^master/frameworks/[^/]+/[^/]+/(?:calls|events|operations|offers/|tasks/terminal/)',
  '^allocator/mesos/allocation_runs$',
  '^slave/(?:valid_|invalid_|container_launch_errors$|executors_preempted$|executors_terminated$)',
  '^gc/path_removals_(?:failed|succeeded)$',
  '^containerizer/(?:fetcher/task_fetches_|mesos/container_destroy_errors$|mesos/provisioner/.+_errors$)',
  '^resource_provider_manager/events/',
  '^meseta/cpu_secs$',
].map((pattern) => new RegExp(pattern));

/** Whether a metric only grows while its process lives (Mesos: docs/monitoring.md). */
export function metricKind(name: string): MetricKind {
  if (name.startsWith('master/operations/')) return passing.includes(lastOf(name)) ? 'gauge' : 'counter';
  return counters.some((pattern) => pattern.test(name)) ? 'counter' : 'gauge';
}

const lastOf = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

type Labels = Readonly<Record<string, string>>;
type Shape = readonly [pattern: RegExp, name: string];

/** What is in a name: the groups are the labels, `$` what is left of it. */
const shapes: readonly Shape[] = (
  [
    [
      '^master/frameworks/(?<framework>[^/]+)/(?<framework_id>[^/]+)/roles/(?<role>.+)/suppressed$',
      'master_framework_role_suppressed',
    ],
    [
      '^master/frameworks/(?<framework>[^/]+)/(?<framework_id>[^/]+)/(?<rest>tasks/\\w+)/task_(?<state>.+)$',
      'master_framework_$',
    ],
    [
      '^master/frameworks/(?<framework>[^/]+)/(?<framework_id>[^/]+)/(?<rest>calls|events|operations)/(?<type>.+)$',
      'master_framework_$_by_type',
    ],
    ['^master/frameworks/(?<framework>[^/]+)/(?<framework_id>[^/]+)/(?<rest>.+)$', 'master_framework_$'],
    ['^master/task_(?<state>[^/]+)/source_(?<source>[^/]+)/reason_(?<reason>.+)$', 'master_tasks_ended'],
    ['^master/slave_removals/reason_(?<reason>.+)$', 'master_slave_removals_by_reason'],
    ['^master/operations/(?<type>[^/]+)/(?<state>[^/]+)$', 'master_operations_by_type'],
    ['^master/operations/(?<state>[^/]+)$', 'master_operations'],
    ['^allocator/mesos/roles/(?<role>.+)/shares/dominant$', 'allocator_role_dominant_share'],
    ['^allocator/mesos/offer_filters/roles/(?<role>.+)/active$', 'allocator_role_offer_filters'],
    ['^allocator/mesos/quota/roles/(?<role>.+)/resources/(?<resource>[^/]+)/(?<rest>[^/]+)$', 'allocator_role_quota_$'],
    ['^allocator/mesos/resources/(?<resource>[^/]+)/(?<rest>[^/]+)$', 'allocator_resources_$'],
    ['^allocator/mesos/(?<rest>.+)$', 'allocator_$'],
  ] as const
).map(([pattern, name]) => [new RegExp(pattern), name]);

const quantiles: Labels = { p50: '0.5', p90: '0.9', p95: '0.95', p99: '0.99', p999: '0.999', p9999: '0.9999' };

interface Sample {
  readonly name: string;
  readonly kind: MetricKind;
  readonly labels: Labels;
}

const word = (text: string): string => text.replace(/[^A-Za-z0-9_]/g, '_');

/** Names of Mesos begin with `mesos_`, Meseta's own (`meseta/...`) with `meseta_`. */
export function sampleOf(metric: string): Sample {
  const kind = metricKind(metric);
  const quantile = quantiles[lastOf(metric)];
  const whole = quantile === undefined ? metric : `${metric.slice(0, metric.lastIndexOf('/'))}_quantile`;
  const labels: Record<string, string> = quantile === undefined ? {} : { quantile };
  let name = whole;
  for (const [pattern, shape] of shapes) {
    const groups = pattern.exec(whole)?.groups;
    if (groups === undefined) continue;
    const { rest = '', ...found } = groups;
    Object.assign(labels, found);
    name = shape.replace('$', rest);
    break;
  }
  if (labels['framework'] !== undefined) labels['framework'] = decoded(labels['framework']);
  const full = name.startsWith('meseta/') ? word(name) : `mesos_${word(name)}`;
  // Of what passes and what only grows, one metric each: a metric has one type.
  const apart =
    metric.startsWith('master/operations/') && kind === 'counter'
      ? full.replace('operations', 'operations_ended')
      : full;
  return { name: kind === 'counter' && !apart.endsWith('_total') ? `${apart}_total` : apart, kind, labels };
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

const escapes: Labels = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

const labelsText = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (char) => escapes[char] ?? char)}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
};

/** All of a metric's samples stand together under its type; a sample that has two names in Mesos is there once. */
export function prometheusText(metrics: ReadonlyMap<string, number>): string {
  const families = new Map<string, { readonly kind: MetricKind; readonly lines: Map<string, number> }>();
  for (const [metric, value] of metrics) {
    const { name, kind, labels } = sampleOf(metric);
    const family = families.get(name) ?? { kind, lines: new Map() };
    families.set(name, family);
    family.lines.set(name + labelsText(labels), value);
  }
  let text = '';
  for (const [name, { kind, lines }] of families) {
    text += `# TYPE ${name} ${kind}\n`;
    for (const [sample, value] of lines) text += `${sample} ${value}\n`;
  }
  return text;
}
