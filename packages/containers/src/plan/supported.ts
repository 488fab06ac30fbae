// Which fields of a ContainerInfo this agent provides, as data: each field is `supported`, needs an isolator, or has a reason
// for its refusal.
//
// SUPPORTED-1: a field that isn't provided fails the launch; none is dropped silently. The compiler checks that the tables
//   have every field of their message, and a test sets each field of the schema.
import { checkPathBelow, LIMITS } from '@meseta/base';
import type {
  ContainerInfo,
  ContainerInfoMesosInfo,
  Image,
  ImageDocker,
  LinuxInfo,
  MountPropagation,
  NetworkInfo,
  NetworkInfoIPAddress,
  SeccompInfo,
  Secret,
  SecretValue,
  TTYInfo,
  TTYInfoWindowSize,
  Volume,
  VolumeSource,
  VolumeSourceHostPath,
  VolumeSourceSandboxPath,
} from '@meseta/wire';
import type { Capabilities, Capability } from '../types.js';

interface ContainerKind {
  /** Whether the container has a parent, whose sandbox it can share. */
  readonly isNested: boolean;
  readonly capabilities: Capabilities;
}

type ValueRule<Value> =
  | { readonly kind: 'supported' }
  /** Whatever the value, except an empty list, which asks for nothing. */
  | { readonly kind: 'refused'; readonly because: string }
  /** Supported where an isolator provides it. */
  | { readonly kind: 'needs'; readonly capability: Capability }
  /** Some values are supported; `because` is the reason for refusing the others. */
  | { readonly kind: 'only'; accepts(value: Value, kind: ContainerKind): boolean; readonly because: string };

type Rule<Value> =
  | ValueRule<Value>
  | (Value extends readonly (infer Item)[]
      ? { readonly kind: 'items'; readonly rule: Rule<Item> }
      : Value extends object
        ? { readonly kind: 'fields'; readonly fields: FieldRules<Value>; readonly needs?: Capability }
        : never);

/** A rule for every field: a field that is new in the schema is missing here, and the table doesn't compile. */
export type FieldRules<Message> = { readonly [Field in keyof Message]-?: Rule<NonNullable<Message[Field]>> };

const supported = { kind: 'supported' } as const;
const needs = (capability: Capability) => ({ kind: 'needs', capability }) as const;
const refused = (because: string) => ({ kind: 'refused', because }) as const;
const only = <Value>(accepts: (value: Value, kind: ContainerKind) => boolean, because: string): ValueRule<Value> => ({
  kind: 'only',
  accepts,
  because,
});
const fields = <Value extends object>(rules: FieldRules<Value>) => ({ kind: 'fields', fields: rules }) as const;
const fieldsThatNeed = <Value extends object>(capability: Capability, rules: FieldRules<Value>) =>
  ({ kind: 'fields', fields: rules, needs: capability }) as const;
const items = <ItemRule>(rule: ItemRule) => ({ kind: 'items', rule }) as const;

const isBelow = (path: string): boolean => !path.startsWith('/') && checkPathBelow('', path) === undefined;

/** What every container has of its own. */
const RESERVED: readonly string[] = ['proc', 'sys', 'dev'];

/** A path on the root file system of the container, which needs a view of its own. */
function isOnRoot(path: string): boolean {
  const [first = ''] = path.split('/').filter((name) => name !== '' && name !== '.');
  return path.startsWith('/') && checkPathBelow('', path) === undefined && !RESERVED.includes(first);
}

const sandboxPath = fieldsThatNeed<VolumeSourceSandboxPath>('sandboxPathVolumes', {
  type: only((type, { isNested }) => type === 'SELF' || (type === 'PARENT' && isNested), 'PARENT needs a parent'),
  path: only(isBelow, 'expected a relative path below the sandbox'),
});

const hostPath = fieldsThatNeed<VolumeSourceHostPath>('hostPathVolumes', {
  // The isolator checks it.
  path: supported,
  mount_propagation: fields<MountPropagation>({
    mode: only((mode) => mode !== 'BIDIRECTIONAL', "mounts of a container can't reach the machine"),
  }),
});

const secret = fieldsThatNeed<Secret>('secretVolumes', {
  type: only((type) => type === 'VALUE', 'expected VALUE: this agent resolves no references'),
  reference: refused('this agent resolves no references'),
  value: fields<SecretValue>({ data: supported }),
});

const volumeSource = fields<VolumeSource>({
  type: only(
    (type, { capabilities }) =>
      type === 'SANDBOX_PATH' ||
      (type === 'HOST_PATH' && capabilities.hostPathVolumes.ok) ||
      (type === 'SECRET' && capabilities.secretVolumes.ok),
    'expected SANDBOX_PATH, HOST_PATH with the isolator volume/host_path, or SECRET with volume/secret',
  ),
  docker_volume: refused('this agent has no Docker volume drivers'),
  sandbox_path: sandboxPath,
  secret,
  host_path: hostPath,
  csi_volume: refused('this agent has no CSI plugins'),
});

/** The provisioner checks the rest. */
const imageFor = (capability: Capability) =>
  fieldsThatNeed<Image>(capability, {
    type: only(
      (type) => type === 'DOCKER',
      'expected DOCKER: images of appc are not supported, as that format was given up',
    ),
    appc: refused('expected an image of the type DOCKER'),
    docker: fields<ImageDocker>({
      name: supported,
      credential: refused('expected the credentials in config'),
      config: fields<Secret>({
        type: only((type) => type === 'VALUE', 'expected VALUE: this agent has no secret resolver'),
        reference: refused('this agent has no secret resolver'),
        value: supported,
      }),
    }),
    cached: supported,
  });

const volume = fields<Volume>({
  container_path: only(
    (path, { capabilities }) => isBelow(path) || (isOnRoot(path) && capabilities.mounts.ok),
    'expected a relative path below the sandbox, or with the isolator filesystem/linux an absolute one outside of /proc, /sys and /dev',
  ),
  host_path: needs('hostPathVolumes'),
  mode: only(
    (mode, { capabilities }) => mode === 'RW' || capabilities.mounts.ok,
    "expected RW: without the isolator filesystem/linux a volume is a link, which can't be read-only",
  ),
  image: imageFor('imageVolumes'),
  source: volumeSource,
});

const ipAddress = fields<NetworkInfoIPAddress>({
  protocol: supported,
  ip_address: refused('the agent, or a plugin of the network, chooses the addresses'),
});

/** A network without a name is the host's. */
const network = fields<NetworkInfo>({
  groups: refused('this agent has no networks with groups'),
  // Shown in the task's status, without any effect.
  labels: supported,
  ip_addresses: items(ipAddress),
  name: needs('networks'),
  // The isolator network/cni checks the rest.
  port_mappings: only(
    (mappings, { capabilities }) => mappings.length === 0 || capabilities.networks.ok,
    "containers have the host's ports without the isolator network/cni",
  ),
});

const seccomp = fields<SeccompInfo>({
  profile_name: needs('seccomp'),
  unconfined: supported,
});

const linux = fields<LinuxInfo>({
  capability_info: needs('capabilities'),
  bounding_capabilities: needs('capabilities'),
  effective_capabilities: needs('capabilities'),
  // The default, false, asks for what the isolator namespaces/pid gives, if the operator chose it.
  share_pid_namespace: supported,
  seccomp,
  ipc_mode: only(
    (mode, { capabilities }) => mode !== 'PRIVATE' || capabilities.ipcNamespaces.ok,
    'PRIVATE needs the isolator namespaces/ipc',
  ),
  shm_size: needs('ipcNamespaces'),
  // There are no cgroups to share. Limits, which need them, are refused.
  share_cgroups: supported,
});

const windowLength = only<number>((length) => length <= LIMITS.window.most, `expected at most ${LIMITS.window.most}`);

const CONTAINER_RULES: FieldRules<ContainerInfo> = {
  type: only((type) => type === 'MESOS', 'expected MESOS: this agent has no Docker containerizer'),
  volumes: items(volume),
  docker: refused('expected in containers of type DOCKER only'),
  hostname: needs('networks'),
  mesos: fields<ContainerInfoMesosInfo>({ image: imageFor('images') }),
  network_infos: items(network),
  linux_info: linux,
  // The launch plan checks which limits this machine can set.
  rlimit_info: needs('rlimits'),
  tty_info: fields<TTYInfo>({ window_size: fields<TTYInfoWindowSize>({ rows: windowLength, columns: windowLength }) }),
};

/** A rule without the type of its field, for the walk over a message. */
type AnyRule =
  | ValueRule<never>
  | { readonly kind: 'fields'; readonly fields: AnyRules; readonly needs?: Capability }
  | { readonly kind: 'items'; readonly rule: AnyRule };
type AnyRules = { readonly [field: string]: AnyRule };

function problemIn(field: string, rule: AnyRule, value: unknown, kind: ContainerKind): string | undefined {
  switch (rule.kind) {
    case 'supported':
      return undefined;
    case 'refused':
      return Array.isArray(value) && value.length === 0 ? undefined : `${field}: ${rule.because}`;
    case 'needs':
      return findLack(field, rule.capability, kind);
    case 'only':
      return rule.accepts(value as never, kind) ? undefined : `${field}: ${rule.because}`;
    case 'fields':
      return (
        (rule.needs && findLack(field, rule.needs, kind)) ?? problemInFields(field, rule.fields, value as object, kind)
      );
    case 'items':
      for (const [i, item] of (value as readonly unknown[]).entries()) {
        const problem = problemIn(`${field}[${i}]`, rule.rule, item, kind);
        if (problem !== undefined) return problem;
      }
      return undefined;
  }
}

function findLack(field: string, capability: Capability, { capabilities }: ContainerKind): string | undefined {
  const provided = capabilities[capability];
  return provided.ok ? undefined : `${field}: ${provided.error}`;
}

/** The first problem in the order of the rules. A decoded message has no fields that the rules lack. */
function problemInFields(path: string, rules: AnyRules, message: object, kind: ContainerKind): string | undefined {
  const values = message as { readonly [field: string]: unknown };
  for (const [name, rule] of Object.entries(rules)) {
    const value = values[name];
    const problem = value === undefined ? undefined : problemIn(`${path}.${name}`, rule, value, kind);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** The first field of a ContainerInfo that this launcher can't provide, with the reason. */
export const findUnsupportedField = (container: ContainerInfo, kind: ContainerKind): string | undefined =>
  problemInFields('container', CONTAINER_RULES, container, kind);

const NO_CONTAINER = 'the executor of a pod is no process on this agent';

/** The same for a pod's executor: what it has in common with its tasks is supported, its limits have no effect. */
export function findUnsupportedPodField(container: ContainerInfo, capabilities: Capabilities): string | undefined {
  const problem = problemInFields('executor.container', CONTAINER_RULES, container, { isNested: false, capabilities });
  if (problem !== undefined) return problem;
  if (container.tty_info !== undefined) return `executor.container.tty_info: ${NO_CONTAINER}`;
  if (container.mesos?.image !== undefined) return `executor.container.mesos.image: ${NO_CONTAINER}`;
  const { mounts } = capabilities;
  const { volumes = [] } = container;
  const index = volumes.findIndex(({ container_path }) => !isBelow(container_path));
  if (index >= 0)
    return `executor.container.volumes[${index}].container_path: ${NO_CONTAINER}: expected a relative path`;
  return volumes.length === 0 || mounts.ok ? undefined : `executor.container.volumes: ${mounts.error}`;
}
