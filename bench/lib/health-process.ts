// The probe of /health in a process of its own: what else the benchmark does doesn't delay it.
import { type HealthProbe, type HealthTimes, probeHealth } from './health.js';
import { serveOrders } from './workers.js';

export type HealthOrder = { readonly kind: 'start'; readonly address: string } | { readonly kind: 'stop' };

let probe: HealthProbe | undefined;

serveOrders<HealthOrder, HealthTimes | object>((order) => {
  if (order.kind === 'stop') return probe?.stop() ?? {};
  probe = probeHealth(order.address);
  return {};
});
