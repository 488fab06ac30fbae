// Mesos' metrics in Prometheus' text format 0.0.4. A name that contains a framework, a role, a resource or a state becomes a
// metric with labels; all other names are kept. The names of counters end in `_total`.
import type { MetricKind, Metrics } from './metrics.js';

export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const lastOf = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

type Labels = Readonly<Record<string, string>>;
type Shape = readonly [pattern: RegExp, name: string];

/** Names with variable parts: the groups of the pattern become labels, and the group `rest` replaces `$`. */
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
  readonly labels: Labels;
}

const toIdentifier = (text: string): string => text.replace(/[^A-Za-z0-9_]/g, '_');

/** Mesos' metrics begin with `mesos_`, Meseta's own (`meseta/...`) with `meseta_`. */
export function sampleOf(metric: string, kind: MetricKind): Sample {
  const quantile = quantiles[lastOf(metric)];
  const whole = quantile === undefined ? metric : `${metric.slice(0, metric.lastIndexOf('/'))}_quantile`;
  const labels: Record<string, string> = quantile === undefined ? {} : { quantile };
  let name = whole;
  for (const [pattern, shape] of shapes) {
    const groups = pattern.exec(whole)?.groups;
    if (groups === undefined) continue;
    const { rest = '', ...found } = groups;
    Object.assign(labels, found);
    // A function, because a replacement text may have patterns such as `$&`, and a peer chooses names of resources.
    name = shape.replace('$', () => rest);
    break;
  }
  if (labels['framework'] !== undefined) labels['framework'] = decoded(labels['framework']);
  const full = name.startsWith('meseta/') ? toIdentifier(name) : `mesos_${toIdentifier(name)}`;
  // Gauges and counters of operations get separate metrics, because a metric of Prometheus has one type.
  const unsuffixed =
    metric.startsWith('master/operations/') && kind === 'counter'
      ? full.replace('operations', 'operations_ended')
      : full;
  return { name: kind === 'counter' && !unsuffixed.endsWith('_total') ? `${unsuffixed}_total` : unsuffixed, labels };
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

/** The samples of a metric are grouped under its type. A sample that has two names in Mesos is written once. */
export function prometheusText(metrics: Metrics): string {
  const families = new Map<string, { readonly kind: MetricKind; readonly lines: Map<string, number> }>();
  for (const [metric, { kind, value }] of metrics) {
    const { name, labels } = sampleOf(metric, kind);
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
