// The probe of /health in a separate process, so that other work of the benchmark does not delay it.
import { type HealthProbe, type HealthTimes, probeHealth } from './health.js';
import { serveOrders } from './workers.js';

export type HealthOrder = { readonly kind: 'start'; readonly address: string } | { readonly kind: 'stop' };

let probe: HealthProbe | undefined;

serveOrders<HealthOrder, HealthTimes | object>((order) => {
  if (order.kind === 'stop') return probe?.stop() ?? {};
  probe = probeHealth(order.address);
  return {};
});
