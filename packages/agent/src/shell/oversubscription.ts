// Oversubscription by the flags: Mesos' fixed resource estimator and its load QoS controller (docs/oversubscription.md), which
// are modules there and built in here, with the same names and parameters.
import { loadavg } from 'node:os';
import { type Clock, err, ok, type Result } from '@meseta/base';
import { parseResources } from '@meseta/resources';
import type { AgentInput } from '../core/io.js';
import type { AgentOptions } from '../core/options.js';
import type { AgentFlags } from './flags.js';
import { moduleParameters } from './modules.js';

const FIXED = 'org_apache_mesos_FixedResourceEstimator';
const LOAD = 'org_apache_mesos_LoadQoSController';
/** `--qos_correction_interval_min` is 0 by default, and the load averages of Linux change every five seconds. */
const MIN_CHECK_INTERVAL_MS = 1000;

/** What `--resource_estimator` and the parameters of its module in `--modules` offer beside the agent's resources. */
export function oversubscriptionOf(
  estimator: string | undefined,
  modules: string | undefined,
  intervalMs: number,
): Result<AgentOptions['oversubscription'], string> {
  if (estimator === undefined) return ok(undefined);
  if (estimator !== FIXED) return err(`Flag --resource_estimator: expected ${FIXED}, got ${estimator}`);
  const parameters = moduleParameters(modules, FIXED);
  if (!parameters.ok) return parameters;
  const text = parameters.value.get('resources');
  if (text === undefined) return err(`Flag --modules: ${FIXED} needs the parameter resources`);
  const parsed = parseResources(text, '*');
  if (!parsed.ok) return err(`Flag --modules: the parameter resources of ${FIXED}: ${parsed.error}`);
  return ok({ resources: parsed.value.map((resource) => ({ ...resource, revocable: {} })), intervalMs });
}

/** The load averages from which on the host is overloaded. */
export interface LoadThresholds {
  readonly fiveMinutes: number | undefined;
  readonly fifteenMinutes: number | undefined;
}

/** The thresholds set by `--qos_controller` and the parameters of its module in `--modules`; undefined: no controller. */
export function loadThresholds(
  controller: string | undefined,
  modules: string | undefined,
): Result<LoadThresholds | undefined, string> {
  if (controller === undefined) return ok(undefined);
  if (controller !== LOAD) return err(`Flag --qos_controller: expected ${LOAD}, got ${controller}`);
  const parameters = moduleParameters(modules, LOAD);
  if (!parameters.ok) return parameters;
  const values: (number | undefined)[] = [];
  for (const key of ['load_threshold_5min', 'load_threshold_15min']) {
    const text = parameters.value.get(key);
    const value = text === undefined ? undefined : Number(text.trim() === '' ? Number.NaN : text);
    if (value !== undefined && !(Number.isFinite(value) && value >= 0)) {
      return err(`Flag --modules: the parameter ${key} of ${LOAD}: expected a number from 0 on, got ${text}`);
    }
    values.push(value);
  }
  const [fiveMinutes, fifteenMinutes] = values;
  return ok({ fiveMinutes, fifteenMinutes });
}

/** Says which load average is above its threshold. */
export function findOverload(
  { fiveMinutes, fifteenMinutes }: LoadThresholds,
  [, five = 0, fifteen = 0]: readonly number[],
): string | undefined {
  if (fiveMinutes !== undefined && five > fiveMinutes) {
    return `the load of the last 5 minutes is ${five}, above ${fiveMinutes}`;
  }
  if (fifteenMinutes !== undefined && fifteen > fifteenMinutes) {
    return `the load of the last 15 minutes is ${fifteen}, above ${fifteenMinutes}`;
  }
  return undefined;
}

/** What the flags say of both; a flag that can't be followed is an error. */
export function oversubscriptionFlags(
  flags: Pick<AgentFlags, 'modules' | 'oversubscribed_resources_interval' | 'qos_controller' | 'resource_estimator'>,
): Result<
  { readonly oversubscription: AgentOptions['oversubscription']; readonly thresholds: LoadThresholds | undefined },
  string
> {
  const intervalMs = flags.oversubscribed_resources_interval;
  const oversubscription = oversubscriptionOf(flags.resource_estimator, flags.modules, intervalMs);
  if (!oversubscription.ok) return oversubscription;
  const thresholds = loadThresholds(flags.qos_controller, flags.modules);
  return thresholds.ok ? ok({ oversubscription: oversubscription.value, thresholds: thresholds.value }) : thresholds;
}

/** Checks the host's load at each interval and reports an overload to the core. Returns a function that ends the watch. */
export function watchLoad(
  thresholds: LoadThresholds | undefined,
  intervalMs: number,
  clock: Pick<Clock, 'setTimer'>,
  push: (input: AgentInput) => void,
): () => void {
  if (thresholds === undefined) return () => {};
  const check = (): void => {
    const cause = findOverload(thresholds, loadavg());
    if (cause !== undefined) push({ kind: 'overload', cause });
    cancel = clock.setTimer(Math.max(intervalMs, MIN_CHECK_INTERVAL_MS), check);
  };
  let cancel = clock.setTimer(Math.max(intervalMs, MIN_CHECK_INTERVAL_MS), check);
  return () => cancel();
}
