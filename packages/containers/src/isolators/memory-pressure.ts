// Counters of memory pressure, as Mesos has them, from samples of a cgroup's control files. Mesos counts the kernel's
// notifications (vmpressure of version 1), which need eventfd(2); here one sample adds at most one to each counter. Pure.

export interface PressureSample {
  /** How often an allocation found the cgroup at its limit, so that memory had to be reclaimed. */
  readonly limitHits: number;
  /** Microseconds in which all its processes waited for memory; undefined where the kernel does not count it. */
  readonly stalledUs: number | undefined;
  /** The processes that the kernel has killed. */
  readonly oomKills: number;
}

export interface Pressure {
  readonly mem_low_pressure_counter: number;
  readonly mem_medium_pressure_counter: number;
  readonly mem_critical_pressure_counter: number;
}

export const NO_PRESSURE: Pressure = {
  mem_low_pressure_counter: 0,
  mem_medium_pressure_counter: 0,
  mem_critical_pressure_counter: 0,
};

const NOTHING: PressureSample = { limitHits: 0, stalledUs: 0, oomKills: 0 };

/** low: memory was reclaimed; medium: the processes waited for it; critical: there was none left. A level includes those below it. */
export function countPressure(
  before: { readonly last: PressureSample; readonly counted: Pressure } | undefined,
  sample: PressureSample,
): Pressure {
  const { last, counted } = before ?? { last: NOTHING, counted: NO_PRESSURE };
  const isCritical = sample.oomKills > last.oomKills;
  const isMedium = isCritical || (sample.stalledUs ?? 0) > (last.stalledUs ?? 0);
  const isLow = isMedium || sample.limitHits > last.limitHits;
  return {
    mem_low_pressure_counter: counted.mem_low_pressure_counter + Number(isLow),
    mem_medium_pressure_counter: counted.mem_medium_pressure_counter + Number(isMedium),
    mem_critical_pressure_counter: counted.mem_critical_pressure_counter + Number(isCritical),
  };
}
