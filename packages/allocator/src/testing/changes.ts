// Steps of the random cluster (world.ts) that come less often: operators' operations, conversions of what is offered,
// maintenance, agents that change, that bring resources in use, and pauses.
import { add, allocate, applyConversions, applyOperation, contains, unallocate } from '@meseta/resources';
import type { OfferOperation, Resource } from '@meseta/wire';
import { aid, fid, frameworkInfo, res } from './cluster.js';
import type { World } from './world.js';

type Step = (world: World, n: number) => void;

const agentAt = ({ totals }: World, n: number): string | undefined => [...totals.keys()][n % Math.max(1, totals.size)];

const reservedFor = (role: string, list: readonly Resource[]): Resource[] =>
  list.map((resource) => ({ ...resource, reservations: [{ role, type: 'DYNAMIC' as const }] }));

/** An operator reserves what is free, or fails because it is not. */
const reserve: Step = (world, n) => {
  const id = agentAt(world, n);
  if (id === undefined) return;
  const resources = reservedFor(n % 2 ? 'a' : 'b', res(n % 3 ? 'cpus:0.5' : 'cpus:6;mem:20'));
  const operation: OfferOperation = { type: 'RESERVE', reserve: { resources } };
  const made = world.cluster.allocator.updateAvailable(aid(id), [operation]);
  const total = applyOperation(world.totals.get(id) ?? [], operation);
  if (made.ok && total.ok) world.totals.set(id, total.value.resources);
};

/** A framework reserves a part of what it is offered, and gives all of it back. */
const convert: Step = (world, n) => {
  const offer = world.offers[n % Math.max(1, world.offers.length)];
  if (offer === undefined || offer.role === '*') return;
  const consumed = allocate(res('cpus:0.2'), offer.role);
  const held = offer.resources.resources;
  if (!contains(held, consumed)) return;
  const conversion = { consumed, converted: reservedFor(offer.role, consumed) };
  const { allocator, now } = world.cluster;
  const after = allocator.updateAllocation(offer.frameworkId, offer.agentId, held, [conversion]);
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

/** Other attributes forget what was refused; without hierarchical roles it is for some frameworks only. */
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

/** Of a framework that is not known yet, which comes later, if at all, and may give it back. */
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

/** Nothing is offered meanwhile. */
const pause: Step = ({ cluster }) => {
  cluster.allocator.pause();
  cluster.run();
  cluster.allocator.resume();
};

export const CHANGES: readonly Step[] = [reserve, convert, maintain, change, provide, adopt, pause];
