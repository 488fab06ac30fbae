// DockerInfo.parameters: options of `docker run`, which Mesos passes to the command line as `--KEY=VALUE`. Here each is a
// field of the engine's request. Of an option that takes one value the last one counts, as on the command line.
//
// PARAMETERS-1: a parameter that is not carried out exactly is refused with its name; none is dropped silently.
import type { Parameter } from '@meseta/wire';
import type { CreateRequest, Mount } from './request.js';

type Problem = string | undefined;
type Apply = (request: CreateRequest, value: string) => Problem;

/** The object that holds the last field of a path such as `HostConfig.CapAdd`, and that field's name. */
function holderOf(request: CreateRequest, path: string): readonly [holder: Record<string, unknown>, field: string] {
  const [first = '', second] = path.split('.');
  return second === undefined ? [request, first] : [request[first] as Record<string, unknown>, second];
}

function set(request: CreateRequest, path: string, value: unknown): void {
  const [holder, field] = holderOf(request, path);
  holder[field] = value;
}

function append(request: CreateRequest, path: string, value: unknown): void {
  const [holder, field] = holderOf(request, path);
  const list = (holder[field] ?? []) as unknown[];
  list.push(value);
  holder[field] = list;
}

function put(request: CreateRequest, path: string, name: string, value: unknown): void {
  const [holder, field] = holderOf(request, path);
  const map = (holder[field] ?? Object.create(null)) as Record<string, unknown>;
  map[name] = value;
  holder[field] = map;
}

const quoted = (value: string): string => JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}...` : value);

type Parse<T> = (value: string) => T | undefined;

const parsed =
  <T>(path: string, parse: Parse<T>, expected: string): Apply =>
  (request, value) => {
    const result = parse(value);
    if (result === undefined) return `expected ${expected}, got ${quoted(value)}`;
    set(request, path, result);
    return undefined;
  };

const parseInteger: Parse<number> = (value) => (/^-?\d{1,15}$/.test(value) ? Number(value) : undefined);
const parseNumber: Parse<number> = (value) => (/^\d{1,9}(\.\d{1,9})?$/.test(value) ? Number(value) : undefined);
const parseBoolean: Parse<boolean> = (value) =>
  value === 'true' || value === '1' || value === '' ? true : value === 'false' || value === '0' ? false : undefined;

const UNITS: { readonly [unit: string]: number } = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** As docker/go-units reads sizes: in powers of 1024. */
const parseSize: Parse<number> = (value) => {
  const [, number, unit = ''] = /^(\d{1,12}(?:\.\d{1,6})?)\s?([bkmgt]?)(?:i?b)?$/.exec(value.toLowerCase()) ?? [];
  return number === undefined ? undefined : Math.floor(Number(number) * (UNITS[unit] ?? 1));
};

const DURATIONS: { readonly [unit: string]: number } = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 };

/** A duration as Go writes it (`1m30s`), in nanoseconds. */
const parseDuration: Parse<number> = (value) => {
  if (value === '0') return 0;
  if (!/^(\d{1,9}(\.\d{1,9})?(ns|us|ms|s|m|h)){1,6}$/.test(value)) return undefined;
  let sum = 0;
  for (const [, number, unit = ''] of value.matchAll(/(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)/g)) {
    sum += Number(number) * (DURATIONS[unit] ?? 0);
  }
  return Math.round(sum);
};

const text = (path: string): Apply => parsed(path, (value) => value, 'a text');
const integer = (path: string): Apply => parsed(path, parseInteger, 'an integer');
const flag = (path: string): Apply => parsed(path, parseBoolean, 'true or false');
/** -1: unlimited. */
const size = (path: string): Apply =>
  parsed(path, (value) => (value === '-1' ? -1 : parseSize(value)), 'a size such as 64m');

const item =
  (path: string): Apply =>
  (request, value) => {
    append(request, path, value);
    return undefined;
  };

/** `NAME=VALUE`; without `=` the value is empty. */
const entry =
  (path: string): Apply =>
  (request, value) => {
    const at = value.indexOf('=');
    put(request, path, at < 0 ? value : value.slice(0, at), at < 0 ? '' : value.slice(at + 1));
    return undefined;
  };

const refused =
  (because: string): Apply =>
  () =>
    because;

const environment: Apply = (request, value) => {
  const at = value.indexOf('=');
  if (at < 1) return `expected NAME=VALUE, got ${quoted(value)}`;
  request.environment.set(value.slice(0, at), value.slice(at + 1));
  return undefined;
};

const device: Apply = (request, value) => {
  const [host = '', second, third] = value.split(':');
  const isPermission = (part: string | undefined): boolean => part !== undefined && /^[rwm]{1,3}$/.test(part);
  if (!host.startsWith('/') || (third !== undefined && !isPermission(third))) {
    return `expected HOST_PATH[:CONTAINER_PATH][:rwm], got ${quoted(value)}`;
  }
  const hasPath = second !== undefined && !isPermission(second);
  append(request, 'HostConfig.Devices', {
    PathOnHost: host,
    PathInContainer: hasPath ? second : host,
    CgroupPermissions: third ?? (hasPath ? undefined : second) ?? 'rwm',
  });
  return undefined;
};

/** `PATH:NUMBER` */
const perDevice =
  (path: string, name: string, parse: Parse<number>): Apply =>
  (request, value) => {
    const at = value.lastIndexOf(':');
    const number = parse(value.slice(at + 1));
    if (at < 1 || number === undefined) return `expected DEVICE:NUMBER, got ${quoted(value)}`;
    append(request, path, { Path: value.slice(0, at), [name]: number });
    return undefined;
  };

const ulimit: Apply = (request, value) => {
  const [, name, soft, hard] = /^([a-z]+)=(-?\d{1,15})(?::(-?\d{1,15}))?$/.exec(value) ?? [];
  if (name === undefined) return `expected NAME=SOFT[:HARD], got ${quoted(value)}`;
  request.HostConfig.Ulimits.push({ Name: name, Soft: Number(soft), Hard: Number(hard ?? soft) });
  return undefined;
};

const tmpfs: Apply = (request, value) => {
  const at = value.indexOf(':');
  put(request, 'HostConfig.Tmpfs', at < 0 ? value : value.slice(0, at), at < 0 ? '' : value.slice(at + 1));
  return undefined;
};

const publish: Apply = (request, value) => {
  const [, ip = '', host = '', port, protocol = 'tcp'] =
    /^(?:(?:(\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:]+\]):)?(\d{0,5}):)?(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(value) ?? [];
  if (port === undefined) return `expected [[IP:]HOST_PORT:]PORT[/PROTOCOL], got ${quoted(value)}`;
  const name = `${port}/${protocol}`;
  request.ExposedPorts[name] = {};
  const { PortBindings } = request.HostConfig;
  const bindings = PortBindings[name] ?? [];
  bindings.push({ HostIp: ip.replace(/[[\]]/g, ''), HostPort: host });
  PortBindings[name] = bindings;
  return undefined;
};

const expose: Apply = (request, value) => {
  const [, port, protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(value) ?? [];
  if (port === undefined) return `expected PORT[/PROTOCOL], got ${quoted(value)}`;
  request.ExposedPorts[`${port}/${protocol}`] = {};
  return undefined;
};

const MOUNT_TYPES = ['bind', 'volume', 'tmpfs'] as const;
const MOUNT_FIELDS: { readonly [name: string]: 'type' | 'source' | 'target' | 'readonly' } = {
  type: 'type',
  source: 'source',
  src: 'source',
  target: 'target',
  destination: 'target',
  dst: 'target',
  readonly: 'readonly',
  ro: 'readonly',
};

const mount: Apply = (request, value) => {
  const found: { type?: string; source?: string; target?: string; readonly?: string } = {};
  for (const part of value.split(',')) {
    const at = part.indexOf('=');
    const key = at < 0 ? part : part.slice(0, at);
    const name = Object.hasOwn(MOUNT_FIELDS, key) ? MOUNT_FIELDS[key] : undefined;
    if (name === undefined) return `expected type, source, target and readonly, got ${quoted(part)}`;
    found[name] = at < 0 ? '' : part.slice(at + 1);
  }
  const type = MOUNT_TYPES.find((it) => it === (found.type ?? 'volume'));
  const isReadOnly = found.readonly === undefined ? false : parseBoolean(found.readonly);
  if (type === undefined || found.target === undefined || isReadOnly === undefined) {
    return `expected type=bind|volume|tmpfs and a target, got ${quoted(value)}`;
  }
  const source = found.source === undefined ? {} : { Source: found.source };
  const made: Mount = { Type: type, ...source, Target: found.target, ReadOnly: isReadOnly };
  request.HostConfig.Mounts.push(made);
  return undefined;
};

const securityOption: Apply = (request, value) => {
  const profile = /^seccomp[=:](.*)$/s.exec(value)?.[1];
  if (profile !== undefined && profile !== 'unconfined' && profile !== 'builtin') {
    return 'expected seccomp=unconfined: the agent reads no profile from the host';
  }
  append(request, 'HostConfig.SecurityOpt', value);
  return undefined;
};

const logDriver: Apply = (request, value) => {
  if (value === 'none') return "none: the container's output could not be written to its sandbox";
  put(request, 'HostConfig.LogConfig', 'Type', value);
  return undefined;
};

const logOption: Apply = (request, value) => {
  const at = value.indexOf('=');
  if (at < 1) return `expected NAME=VALUE, got ${quoted(value)}`;
  const config = (request.HostConfig['LogConfig'] ?? {}) as { readonly Config?: Record<string, string> };
  const options = { ...config.Config, [value.slice(0, at)]: value.slice(at + 1) };
  request.HostConfig['LogConfig'] = { ...config, Config: options };
  return undefined;
};

const health =
  (field: string, parse: Parse<number>, expected: string): Apply =>
  (request, value) => {
    const result = parse(value);
    if (result === undefined) return `expected ${expected}, got ${quoted(value)}`;
    request.Healthcheck = { ...request.Healthcheck, [field]: result };
    return undefined;
  };

const healthTest =
  (test: (value: string) => readonly string[]): Apply =>
  (request, value) => {
    request.Healthcheck = { ...request.Healthcheck, Test: test(value) };
    return undefined;
  };

const address =
  (field: 'IPv4Address' | 'IPv6Address'): Apply =>
  ({ endpoint }, value) => {
    endpoint.IPAMConfig = { ...endpoint.IPAMConfig, [field]: value };
    return undefined;
  };

const DETACHED = 'the agent starts the container and follows its output itself';
const NO_RESTARTS = 'a task that ends is reported and never restarted by the engine';
const NO_HOST_FILE = 'the agent reads no file of the host for a task';

/** By the names of `docker run`, without the dashes. */
const OPTIONS: { readonly [name: string]: Apply } = {
  'add-host': item('HostConfig.ExtraHosts'),
  annotation: entry('HostConfig.Annotations'),
  attach: refused(DETACHED),
  'blkio-weight': integer('HostConfig.BlkioWeight'),
  'blkio-weight-device': perDevice('HostConfig.BlkioWeightDevice', 'Weight', parseInteger),
  'cap-add': item('HostConfig.CapAdd'),
  'cap-drop': item('HostConfig.CapDrop'),
  'cgroup-parent': text('HostConfig.CgroupParent'),
  cgroupns: text('HostConfig.CgroupnsMode'),
  cidfile: refused('the agent writes no file on the host for a task'),
  'cpu-period': integer('HostConfig.CpuPeriod'),
  'cpu-quota': integer('HostConfig.CpuQuota'),
  'cpu-rt-period': integer('HostConfig.CpuRealtimePeriod'),
  'cpu-rt-runtime': integer('HostConfig.CpuRealtimeRuntime'),
  'cpu-shares': integer('HostConfig.CpuShares'),
  cpus: parsed(
    'HostConfig.NanoCpus',
    (value) => {
      const cpus = parseNumber(value);
      return cpus === undefined ? undefined : Math.round(cpus * 1e9);
    },
    'a number of CPUs',
  ),
  'cpuset-cpus': text('HostConfig.CpusetCpus'),
  'cpuset-mems': text('HostConfig.CpusetMems'),
  detach: refused(DETACHED),
  device: device,
  'device-cgroup-rule': item('HostConfig.DeviceCgroupRules'),
  'device-read-bps': perDevice('HostConfig.BlkioDeviceReadBps', 'Rate', parseSize),
  'device-read-iops': perDevice('HostConfig.BlkioDeviceReadIOps', 'Rate', parseInteger),
  'device-write-bps': perDevice('HostConfig.BlkioDeviceWriteBps', 'Rate', parseSize),
  'device-write-iops': perDevice('HostConfig.BlkioDeviceWriteIOps', 'Rate', parseInteger),
  dns: item('HostConfig.Dns'),
  'dns-opt': item('HostConfig.DnsOptions'),
  'dns-option': item('HostConfig.DnsOptions'),
  'dns-search': item('HostConfig.DnsSearch'),
  domainname: text('Domainname'),
  entrypoint: parsed('Entrypoint', (value) => [value], 'a program'),
  env: environment,
  'env-file': refused(NO_HOST_FILE),
  expose,
  gpus: refused('this agent offers no GPUs'),
  'group-add': item('HostConfig.GroupAdd'),
  'health-cmd': healthTest((value) => ['CMD-SHELL', value]),
  'health-interval': health('Interval', parseDuration, 'a duration such as 30s'),
  'health-retries': health('Retries', parseInteger, 'an integer'),
  'health-start-period': health('StartPeriod', parseDuration, 'a duration such as 30s'),
  'health-timeout': health('Timeout', parseDuration, 'a duration such as 30s'),
  hostname: text('Hostname'),
  init: flag('HostConfig.Init'),
  interactive: refused(DETACHED),
  ip: address('IPv4Address'),
  ip6: address('IPv6Address'),
  ipc: text('HostConfig.IpcMode'),
  label: entry('Labels'),
  'label-file': refused(NO_HOST_FILE),
  link: item('HostConfig.Links'),
  'link-local-ip': ({ endpoint }, value) => {
    const known = endpoint.IPAMConfig?.LinkLocalIPs ?? [];
    endpoint.IPAMConfig = { ...endpoint.IPAMConfig, LinkLocalIPs: [...known, value] };
    return undefined;
  },
  'log-driver': logDriver,
  'log-opt': logOption,
  'mac-address': text('MacAddress'),
  memory: size('HostConfig.Memory'),
  'memory-reservation': size('HostConfig.MemoryReservation'),
  'memory-swap': size('HostConfig.MemorySwap'),
  'memory-swappiness': integer('HostConfig.MemorySwappiness'),
  mount,
  name: refused('the agent names the container, to find it again'),
  net: text('HostConfig.NetworkMode'),
  'net-alias': ({ endpoint }, value) => {
    endpoint.Aliases = [...(endpoint.Aliases ?? []), value];
    return undefined;
  },
  network: text('HostConfig.NetworkMode'),
  'no-healthcheck': healthTest(() => ['NONE']),
  'oom-kill-disable': flag('HostConfig.OomKillDisable'),
  'oom-score-adj': integer('HostConfig.OomScoreAdj'),
  pid: text('HostConfig.PidMode'),
  'pids-limit': integer('HostConfig.PidsLimit'),
  privileged: flag('HostConfig.Privileged'),
  publish,
  'publish-all': flag('HostConfig.PublishAllPorts'),
  pull: refused('use force_pull_image'),
  'read-only': flag('HostConfig.ReadonlyRootfs'),
  restart: (_request, value) => (value === 'no' ? undefined : NO_RESTARTS),
  rm: refused('the agent removes the container after --docker_remove_delay'),
  runtime: text('HostConfig.Runtime'),
  'security-opt': securityOption,
  'shm-size': size('HostConfig.ShmSize'),
  'sig-proxy': refused(DETACHED),
  'stop-signal': text('StopSignal'),
  'stop-timeout': integer('StopTimeout'),
  'storage-opt': entry('HostConfig.StorageOpt'),
  sysctl: entry('HostConfig.Sysctls'),
  tmpfs,
  tty: refused('the output of a terminal could not be told apart into stdout and stderr'),
  ulimit,
  user: text('User'),
  userns: text('HostConfig.UsernsMode'),
  uts: text('HostConfig.UTSMode'),
  volume: item('HostConfig.Binds'),
  'volume-driver': text('HostConfig.VolumeDriver'),
  'volumes-from': item('HostConfig.VolumesFrom'),
  workdir: text('WorkingDir'),
};

/** The short forms, and other names of the same option. */
const ALIASES: { readonly [name: string]: string } = {
  a: 'attach',
  c: 'cpu-shares',
  d: 'detach',
  e: 'env',
  h: 'hostname',
  i: 'interactive',
  l: 'label',
  m: 'memory',
  'network-alias': 'net-alias',
  p: 'publish',
  P: 'publish-all',
  t: 'tty',
  u: 'user',
  v: 'volume',
  w: 'workdir',
};

/** Adds the parameters to the request. Returns which one can't be carried out, and why. */
export function applyParameters(request: CreateRequest, parameters: readonly Parameter[]): Problem {
  for (const [index, { key, value }] of parameters.entries()) {
    const field = `container.docker.parameters[${index}]`;
    const name = Object.hasOwn(ALIASES, key) ? (ALIASES[key] ?? key) : key;
    const apply = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined;
    if (apply === undefined) return `${field}.key: ${quoted(key)} is no option of "docker run" that this agent knows`;
    if (value.includes('\0')) return `${field}.value: a NUL byte is in it`;
    const problem = apply(request, value);
    if (problem !== undefined) return `${field}: --${key}: ${problem}`;
  }
  return undefined;
}
