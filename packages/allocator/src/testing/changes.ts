// More steps of the random cluster (world.ts): operations of operators, conversions of offered resources, maintenance,
// updates of agents, agents with resources in use, resource providers and pauses.
import { add, allocate, applyConversions, applyOperation, contains, unallocate } from '@meseta/resources';
import type { OfferOperation, Resource } from '@meseta/wire';
import { aid, fid, frameworkInfo, res } from './cluster.js';
import type { World } from './world.js';

type Step = (world: World, n: number) => void;

const agentAt = ({ totals }: World, n: number): string | undefined => [...totals.keys()][n % Math.max(1, totals.size)];

const reservedFor = (role: string, list: readonly Resource[]): Resource[] =>
  list.map((resource) => ({ ...resource, reservations: [{ role, type: 'DYNAMIC' as const }] }));

/** An operator reserves resources; fails if they are not free. */
const reserve: Step = (world, n) => {
  const id = agentAt(world, n);
  if (id === undefined) return;
  const resources = reservedFor(n % 2 ? 'a' : 'b', res(n % 3 ? 'cpus:0.5' : 'cpus:6;mem:20'));
  const operation: OfferOperation = { type: 'RESERVE', reserve: { resources } };
  const made = world.cluster.allocator.updateAvailable(aid(id), [operation]);
  const total = applyOperation(world.totals.get(id) ?? [], operation);
  if (made.ok && total.ok) world.totals.set(id, total.value.resources);
};

/** A framework reserves a part of an offer and returns all of it. */
const convert: Step = (world, n) => {
  const offer = world.offers[n % Math.max(1, world.offers.length)];
  if (offer === undefined || offer.role === '*') return;
  const consumed = allocate(res('cpus:0.2'), offer.role);
  const offered = offer.resources.resources;
  if (!contains(offered, consumed)) return;
  const conversion = { consumed, converted: reservedFor(offer.role, consumed) };
  const { allocator, now } = world.cluster;
  const after = allocator.updateAllocation(offer.frameworkId, offer.agentId, offered, [conversion]);
  world.offers = world.offers.filter((other) => other !== offer);
  allocator.recoverResources(offer.frameworkId, offer.agentId, after, now, n % 2 ? {} : { filters: {} });
  const plain = { consumed: unallocate(consumed), converted: unallocate(conversion.converted) };
  const total = applyConversions(world.totals.get(offer.agentId) ?? [], [plain]);
  if (total.ok) world.totals.set(offer.agentId, total.value);
};

const maintain: Step = (world, n) => {
  const id = agentAt(world, n);
  const unavailability = n % 2 ? { start: { nanoseconds: 0n } } : undefined;
  if (id !== undefined) world.cluster.allocator.updateUnavailability(aid(id), unavailability);
};

/** An agent gets other attributes, which remove its filters, or other capabilities, which some clients need. */
const change: Step = (world, n) => {
  const id = agentAt(world, n);
  if (id === undefined) return;
  const { allocator } = world.cluster;
  const hostname = world.hosts.get(id) ?? '';
  const capabilities = (n % 2 ? ['MULTI_ROLE', 'HIERARCHICAL_ROLE'] : ['MULTI_ROLE']) as 'MULTI_ROLE'[];
  if (n % 3 === 0) allocator.updateAgent(aid(id), { capabilities: capabilities.map((type) => ({ type })) });
  else {
    const attributes = [{ name: 'rack', type: 'TEXT' as const, text: { value: `r${n % 4}` } }];
    allocator.updateAgent(aid(id), { info: { hostname, attributes } });
  }
};

const provide: Step = (world, n) => {
  const id = agentAt(world, n);
  if (id === undefined) return;
  const more = res(`disk:${1 + (n % 5)}`);
  world.cluster.allocator.addResourceProvider(aid(id), more, new Map());
  world.totals.set(id, add(world.totals.get(id) ?? [], more));
};

/** An agent reports resources in use by a framework that is added later or never, and may return them before. */
const adopt: Step = (world, n) => {
  const { allocator, now } = world.cluster;
  const [id, framework] = [`agent${world.named++}`, fid(`late${n % 5}`)];
  const [total, used] = [res('cpus:4;mem:80'), allocate(res('cpus:1;mem:16'), 'z')];
  const capabilities = [{ type: 'MULTI_ROLE' as const }, { type: 'HIERARCHICAL_ROLE' as const }];
  world.totals.set(id, total);
  world.hosts.set(id, 'host0');
  const spec = { info: { hostname: 'host0' }, capabilities, total, used: new Map([[framework, used]]) };
  allocator.addAgent(aid(id), spec);
  if (n % 3 === 0) allocator.recoverResources(framework, aid(id), used, now, { allocated: true });
  if (n % 3 !== 1 || world.frameworks.has(framework)) return;
  world.frameworks.set(framework, true);
  allocator.addFramework(framework, frameworkInfo(['z']), new Map([[aid(id), used]]), true);
};

/** A run while the allocator is paused. */
const pause: Step = ({ cluster }) => {
  cluster.allocator.pause();
  cluster.run();
  cluster.allocator.resume();
};

export const CHANGES: readonly Step[] = [reserve, convert, maintain, change, provide, adopt, pause];
