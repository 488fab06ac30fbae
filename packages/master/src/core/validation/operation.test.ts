// The texts with which an operation on resources is refused, one rule after the other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentInfoCapabilityType, OfferOperation, Resource } from '@meseta/wire';
import type { Agent, Framework } from '../state.js';
import { checkOperation, type Requester } from './operation.js';

const framework = { roles: ['web', 'web/a'], capabilities: new Set<never>() } as Partial<Framework> as Framework;
const sharing = { ...framework, capabilities: new Set(['SHARED_RESOURCES']) } as Framework;
const ALL: readonly AgentInfoCapabilityType[] = ['RESERVATION_REFINEMENT', 'HIERARCHICAL_ROLE', 'RESIZE_VOLUME'];
const agentWith = (capabilities: readonly AgentInfoCapabilityType[], totalResources: readonly Resource[] = []): Agent =>
  ({ capabilities: new Set(capabilities), totalResources }) as Partial<Agent> as Agent;
const by: Requester = { framework, principal: undefined, agent: agentWith(ALL) };
const byOperator: Requester = { ...by, framework: undefined };
const byPrincipal: Requester = { ...by, principal: 'p' };

type Reservations = NonNullable<Resource['reservations']>;
const dynamic = (role = 'web', principal?: string): Reservations[number] => ({
  type: 'DYNAMIC',
  role,
  ...(principal !== undefined && { principal }),
});
const cpus = (more: Partial<Resource> = {}): Resource => ({
  name: 'cpus',
  type: 'SCALAR',
  scalar: { value: 1 },
  allocation_info: { role: 'web' },
  ...more,
});
const reserved = (more: Partial<Resource> = {}): Resource => cpus({ reservations: [dynamic()], ...more });
const disk = (more: Partial<Resource> = {}): Resource => reserved({ name: 'disk', scalar: { value: 10 }, ...more });
const persistence = { id: 'v' };
const mount = { container_path: 'data', mode: 'RW' } as const;
const volume = (more: Partial<Resource> = {}): Resource => disk({ disk: { persistence, volume: mount }, ...more });
const shared = (resource: Resource): Resource => ({ ...resource, shared: {} });
const free = ({ allocation_info: _, ...resource }: Resource): Resource => resource;

const reserve = (resources: readonly Resource[], source?: readonly Resource[]): OfferOperation => ({
  type: 'RESERVE',
  reserve: { resources, ...(source && { source }) },
});
const unreserve = (...resources: Resource[]): OfferOperation => ({ type: 'UNRESERVE', unreserve: { resources } });
const create = (...volumes: Resource[]): OfferOperation => ({ type: 'CREATE', create: { volumes } });
const destroy = (...volumes: Resource[]): OfferOperation => ({ type: 'DESTROY', destroy: { volumes } });
const grow = (grown: Resource, addition: Resource): OfferOperation => ({
  type: 'GROW_VOLUME',
  grow_volume: { volume: grown, addition },
});
const shrink = (shrunk: Resource, by: number): OfferOperation => ({
  type: 'SHRINK_VOLUME',
  shrink_volume: { volume: shrunk, subtract: { value: by } },
});

type Case = readonly [operation: OfferOperation, problem: string | undefined, by?: Requester];

const reserveCases: readonly Case[] = [
  [{ type: 'RESERVE' }, 'operation.reserve: is missing'],
  [reserve([reserved()]), undefined],
  [reserve([]), 'reserve.resources: expected at least one resource'],
  [reserve([reserved()], [cpus()]), 'reserve.source: is for operators only'],
  [reserve([free(reserved())], [free(cpus())]), undefined, byOperator],
  [
    reserve([free(reserved())], [free(cpus({ scalar: { value: 2 } }))]),
    'reserve.source: expected the same resources as in reserve.resources, but for their reservations',
    byOperator,
  ],
  [
    reserve(
      [free(reserved()), free(reserved({ name: 'mem', reservations: [dynamic('db')] }))],
      [free(cpus()), free(cpus({ name: 'mem' }))],
    ),
    'reserve.resources: expected the same reservations on all',
    byOperator,
  ],
  [
    reserve([free(reserved()), free(reserved({ name: 'mem' }))], [free(cpus()), free(reserved({ name: 'mem' }))]),
    'reserve.source: expected the same reservations on all',
    byOperator,
  ],
  [reserve([cpus()]), 'reserve.resources[0].reservations: expected a dynamic reservation'],
  [
    reserve([reserved(), reserved({ name: 'mem', reservations: [{ type: 'STATIC', role: 'web' }] })]),
    'reserve.resources[1].reservations: expected a dynamic reservation',
  ],
  [reserve([reserved({ revocable: {} })]), "reserve.resources[0]: revocable resources can't be reserved"],
  [reserve([reserved({ reservations: [dynamic(), dynamic('web/a')], allocation_info: { role: 'web/a' } })]), undefined],
  [
    reserve([reserved({ reservations: [dynamic(), dynamic('web/a')], allocation_info: { role: 'web/a' } })]),
    'reserve.resources[0].reservations: the agent lacks the capability RESERVATION_REFINEMENT',
    { ...by, agent: agentWith(['HIERARCHICAL_ROLE']) },
  ],
  [reserve([reserved()]), undefined, { ...by, agent: agentWith([]) }],
  [
    reserve([reserved({ reservations: [dynamic('web/a')], allocation_info: { role: 'web/a' } })]),
    "reserve.resources[0].reservations: the agent lacks the capability HIERARCHICAL_ROLE for 'web/a'",
    { ...by, agent: agentWith([]) },
  ],
  [reserve([reserved({ reservations: [dynamic('web', 'p')] })]), undefined, byPrincipal],
  [reserve([reserved()]), "reserve.resources[0].reservations: expected the principal 'p', got none", byPrincipal],
  [
    reserve([reserved({ reservations: [dynamic('web', 'q')] })]),
    "reserve.resources[0].reservations: expected the principal 'p', got 'q'",
    byPrincipal,
  ],
  [
    reserve([reserved()]),
    'reserve.resources[0].allocation_info: must not be set; an operator reserves what is not allocated',
    byOperator,
  ],
  [
    reserve([reserved({ reservations: [dynamic('db')], allocation_info: { role: 'db' } })]),
    "reserve.resources[0].reservations: 'db' is not among the framework's roles",
  ],
  [
    reserve([reserved({ allocation_info: { role: 'web/a' } })]),
    "reserve.resources[0]: reserved for 'web', but allocated to 'web/a'",
  ],
  [
    reserve([reserved(), reserved({ provider_id: { value: 'rp' } })]),
    'reserve.resources: resources of different providers are mixed',
  ],
];

const volumeCases: readonly Case[] = [
  [{ type: 'UNRESERVE' }, 'operation.unreserve: is missing'],
  [unreserve(reserved()), undefined],
  [unreserve(), 'unreserve.resources: expected at least one resource'],
  [unreserve(reserved(), cpus()), 'unreserve.resources[1].reservations: expected a dynamic reservation'],
  [unreserve(volume()), 'unreserve.resources[0].disk: a volume has to be destroyed first'],
  [{ type: 'CREATE' }, 'operation.create: is missing'],
  [create(volume()), undefined],
  [create(), 'create.volumes: expected at least one resource'],
  [create(disk()), 'create.volumes[0].disk.persistence: is missing'],
  [
    create(volume({ disk: { persistence, volume: { ...mount, mode: 'RO' } } })),
    'create.volumes[0].disk.volume.mode: expected RW, got RO',
  ],
  [create(shared(volume())), 'create.volumes[0].shared: the framework lacks the capability SHARED_RESOURCES'],
  [create(shared(volume())), undefined, { ...by, framework: sharing }],
  [create(shared(volume())), undefined, byOperator],
  [create(volume()), "create.volumes[0].disk.persistence.principal: expected 'p', got none", byPrincipal],
  [
    create(volume({ disk: { persistence: { id: 'v', principal: 'q' }, volume: mount } })),
    "create.volumes[0].disk.persistence.principal: expected 'p', got 'q'",
    byPrincipal,
  ],
  [create(volume({ disk: { persistence: { id: 'v', principal: 'p' }, volume: mount } })), undefined, byPrincipal],
  [
    create(volume()),
    "create.volumes[0].disk.persistence.id: role 'web' has a volume 'v' on the agent already",
    { ...by, agent: agentWith(ALL, [disk(), volume()]) },
  ],
  [
    create(volume()),
    undefined,
    {
      ...by,
      agent: agentWith(ALL, [
        disk(),
        volume({ reservations: [dynamic('db')] }),
        volume({ disk: { persistence: { id: 'w' }, volume: mount } }),
      ]),
    },
  ],
  [{ type: 'DESTROY' }, 'operation.destroy: is missing'],
  [destroy(volume()), undefined],
  [destroy(), 'destroy.volumes: expected at least one resource'],
  [destroy(volume(), disk()), 'destroy.volumes[1].disk.persistence: is missing'],
];

const resizeCases: readonly Case[] = [
  [{ type: 'GROW_VOLUME' }, 'operation.grow_volume: is missing'],
  [grow(volume(), disk()), undefined],
  [
    grow(volume(), disk()),
    'grow_volume.volume: the agent lacks the capability RESIZE_VOLUME',
    { ...by, agent: agentWith([]) },
  ],
  [grow(disk(), disk()), 'grow_volume.volume.disk.persistence: is missing'],
  [grow(shared(volume()), disk()), "grow_volume.volume.shared: shared volumes can't be resized"],
  [
    grow(volume({ provider_id: { value: 'rp' } }), disk()),
    "grow_volume.volume.provider_id: a provider's volumes can't be resized",
  ],
  [grow(volume(), disk({ scalar: { value: 0 } })), 'grow_volume.addition.scalar.value: expected more than 0, got 0'],
  [
    grow(volume(), cpus({ name: 'disk' })),
    'grow_volume.addition: expected disk of the kind that the volume was made from',
  ],
  [{ type: 'SHRINK_VOLUME' }, 'operation.shrink_volume: is missing'],
  [shrink(volume(), 1), undefined],
  [shrink(volume(), 9), undefined],
  [shrink(volume(), 10), 'shrink_volume.subtract: expected more than 0 and less than 10, got 10'],
  [shrink(volume(), 0), 'shrink_volume.subtract: expected more than 0 and less than 10, got 0'],
  [shrink(disk(), 1), 'shrink_volume.volume.disk.persistence: is missing'],
  [
    shrink(volume({ disk: { persistence, volume: mount, source: { type: 'MOUNT', mount: { root: '/m' } } } }), 1),
    "shrink_volume.volume: a volume on a MOUNT disk can't shrink",
  ],
  [{ type: 'LAUNCH' }, 'operation.type: expected an operation on resources'],
];

for (const [what, cases] of Object.entries({ reserveCases, volumeCases, resizeCases })) {
  test(`an operation is valid or refused with the field at fault: ${what}`, () => {
    for (const [operation, problem, requester = by] of cases) {
      assert.equal(checkOperation(operation, requester), problem, JSON.stringify(operation));
    }
  });
}
