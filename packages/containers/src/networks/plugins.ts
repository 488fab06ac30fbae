// Calls the plugins of a network (the specification of CNI, version 1.0.0, "Network attachment protocol").
import { type AbortSignalLike, err, type Files, ok, type Processes, type Result } from '@meseta/base';
import type { NetworkInfo } from '@meseta/wire';
import { isObject, type JsonObject, MAX_JSON_BYTES, parseObject } from '../operator-json.js';
import { type Network, typeOf } from './config.js';
import { errorOf } from './results.js';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** The first version whose plugins get the result of those before them in a list. */
const CHAINED_SINCE = '0.3.0';
/** The first version whose plugins get the result for DEL. */
const DEL_WITH_RESULT_SINCE = '0.4.0';
const PORT_MAPPINGS = 'portMappings';
/** A plugin of Mesos that takes `port_mappings` from `args`. */
const PORT_MAPPER = 'mesos-cni-port-mapper';

export interface PluginPorts {
  readonly files: Files;
  readonly processes: Pick<Processes, 'run'>;
  /** `--network_cni_plugins_dir`: directories, separated by colons. */
  readonly pluginsDir: string;
  readonly timeoutMs: number;
}

/** A container's interface in a network. */
export interface Attachment {
  readonly network: Network;
  /** What the task asks of the network. */
  readonly info: NetworkInfo;
  readonly interfaceName: string;
}

export interface AttachedContainer {
  readonly containerId: string;
  /** The file of its network namespace; empty if it is gone. */
  readonly namespace: string;
}

const takesPortMappings = (plugin: JsonObject): boolean =>
  isObject(plugin['capabilities']) && plugin['capabilities'][PORT_MAPPINGS] === true;

/** Whether a plugin of the network forwards ports of the machine. */
export const mapsPorts = ({ plugins }: Network): boolean =>
  plugins.some((plugin) => takesPortMappings(plugin) || typeOf(plugin) === PORT_MAPPER);

/** The configuration for one plugin. `args` is as in Mesos. */
function configFor(plugin: JsonObject, { network, info }: Attachment, result: JsonObject | undefined): JsonObject {
  const { capabilities: _, ...own } = plugin;
  const mappings = info.port_mappings ?? [];
  const portMappings = mappings.map(({ host_port, container_port, protocol }) => ({
    hostPort: host_port,
    containerPort: container_port,
    protocol: (protocol ?? 'tcp').toLowerCase(),
  }));
  return {
    ...own,
    cniVersion: network.version,
    name: network.name,
    ...(takesPortMappings(plugin) && mappings.length > 0 ? { runtimeConfig: { [PORT_MAPPINGS]: portMappings } } : {}),
    args: {
      ...(isObject(own['args']) ? own['args'] : {}),
      'org.apache.mesos': { network_info: { ...info } as JsonObject },
    },
    ...(result === undefined ? {} : { prevResult: result }),
  };
}

async function findProgram({ files, pluginsDir }: PluginPorts, type: string): Promise<Result<string, string>> {
  for (const directory of pluginsDir.split(':')) {
    const path = `${directory}/${type}`;
    if (directory !== '' && (await files.realPath(path)).ok) return ok(path);
  }
  return err(`no program ${type} in --network_cni_plugins_dir (${pluginsDir})`);
}

async function call(
  ports: PluginPorts,
  command: 'ADD' | 'DEL',
  { containerId, namespace }: AttachedContainer,
  interfaceName: string,
  config: JsonObject,
  signal?: AbortSignalLike,
): Promise<Result<string, string>> {
  const type = typeOf(config);
  const where = `network ${config['name']}: ${command} of the plugin ${type}`;
  const program = await findProgram(ports, type);
  if (!program.ok) return err(`${where}: ${program.error}`);
  const environment = {
    PATH,
    CNI_COMMAND: command,
    CNI_CONTAINERID: containerId,
    CNI_NETNS: namespace,
    CNI_IFNAME: interfaceName,
    CNI_PATH: ports.pluginsDir,
  };
  const request = { program: program.value, arguments: [], environment, input: JSON.stringify(config) };
  const limits = { timeoutMs: ports.timeoutMs, outputBytes: MAX_JSON_BYTES + 1, ...(signal && { signal }) };
  const ran = await ports.processes.run(request, limits);
  if (!ran.ok) return err(`${where}: ${ran.error.message}`);
  const { end, stdout, stderr, timedOut } = ran.value;
  if (timedOut) return err(`${where}: it did not end in ${ports.timeoutMs} ms`);
  if (end.kind === 'signaled') return err(`${where}: it was ended by the signal ${end.signal}`);
  if (Buffer.byteLength(stdout) > MAX_JSON_BYTES) return err(`${where}: it wrote more than ${MAX_JSON_BYTES} bytes`);
  return end.code === 0 ? ok(stdout) : err(`${where}: ${errorOf(stdout, stderr)}`);
}

/** Compares versions with numbers of one digit, as all are. */
const isSince = (version: string, first: string): boolean => version >= first;

/** Attaches a container to a network. Returns the result of the last plugin. */
export async function attach(
  ports: PluginPorts,
  container: AttachedContainer,
  attachment: Attachment,
  signal: AbortSignalLike,
): Promise<Result<JsonObject, string>> {
  const { network, interfaceName } = attachment;
  let result: JsonObject = {};
  for (const [index, plugin] of network.plugins.entries()) {
    const previous = index > 0 && isSince(network.version, CHAINED_SINCE) ? result : undefined;
    const added = await call(ports, 'ADD', container, interfaceName, configFor(plugin, attachment, previous), signal);
    if (!added.ok) return added;
    const parsed = parseObject(added.value);
    if (!parsed.ok) return err(`network ${network.name}: the result of the plugin ${typeOf(plugin)}: ${parsed.error}`);
    result = parsed.value;
  }
  return ok(result);
}

/** Detaches a container, also one that was attached in part. Every plugin is called. Returns what failed. */
export async function detach(
  ports: PluginPorts,
  container: AttachedContainer,
  attachment: Attachment,
  result: JsonObject | undefined,
): Promise<readonly string[]> {
  const { network, interfaceName } = attachment;
  const known = isSince(network.version, DEL_WITH_RESULT_SINCE) ? result : undefined;
  const problems: string[] = [];
  for (const plugin of network.plugins.toReversed()) {
    const deleted = await call(ports, 'DEL', container, interfaceName, configFor(plugin, attachment, known));
    if (!deleted.ok) problems.push(deleted.error);
  }
  return problems;
}
