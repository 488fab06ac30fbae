// The networks of containers on this machine and on disk.
//
// Owns: the directory `isolators/network/cni/CONTAINER` below the runtime directory, or below work_dir with
//   `--network_cni_root_dir_persist`: the namespace (`ns`), the attachments and their results (`N.attachment`, `N.result`), and
//   the files that the container sees in /etc; of a nested container only the container whose network it shares (`joined`).
// CONTAINER-NETWORKS-1: an attachment is on disk before its first plugin is called, and until all plugins have detached it. What a
//   crash leaves is detached by the next agent; what a plugin does not detach is tried again by the next agent.
import {
  type AbortSignalLike,
  type ContainerId,
  err,
  type Files,
  type NetworkNamespaces,
  ok,
  pushAll,
  type Result,
} from '@meseta/base';
import type { CniDNS, NetworkInfo } from '@meseta/wire';
import type { ContainerNetwork } from '../isolators/isolator.js';
import type { JsonObject } from '../operator-json.js';
import { listNames } from '../sandbox/directories.js';
import { within } from '../sandbox/sandbox.js';
import { removeTree } from '../sandbox/trees.js';
import { hostsText, resolverText } from './name-files.js';
import { type Attachment, attach, detach, type PluginPorts } from './plugins.js';
import { type Addressing, addressingOf, isIpv6 } from './results.js';

export interface AttachmentPorts {
  readonly files: Files;
  readonly plugins: PluginPorts;
  readonly namespaces: NetworkNamespaces;
  /** Absolute; only the agent's user can change it. */
  readonly rootDir: string;
}

export const MAX_NETWORKS = 16;
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o644;
const RESOLVER = '/etc/resolv.conf';

type Place = Pick<AttachmentPorts, 'files' | 'rootDir'>;

export const directoryOf = ({ rootDir }: Pick<Place, 'rootDir'>, containerId: string): string =>
  `${rootDir}/${containerId}`;

const namespaceOf = (place: Place, containerId: string): string => `${directoryOf(place, containerId)}/ns`;

async function write(place: Place, containerId: string, name: string, text: string): Promise<Result<void, string>> {
  const path = `${directoryOf(place, containerId)}/${name}`;
  const written = await place.files.write(path, text, { mode: FILE_MODE });
  return written.ok ? ok(undefined) : err(written.error.message);
}

/** As the task's status shows it: with the addresses that the plugins gave. */
function shownInfo({ ip_addresses: _, ...info }: NetworkInfo, { addresses }: Addressing): NetworkInfo {
  const shown = addresses.map(
    (ip_address) => ({ protocol: isIpv6(ip_address) ? 'IPv6' : 'IPv4', ip_address }) as const,
  );
  return { ...info, ip_addresses: shown };
}

/** CONTAINER-NETWORKS-1. */
async function attachAll(
  ports: AttachmentPorts,
  containerId: ContainerId,
  attachments: readonly Attachment[],
  signal: AbortSignalLike,
): Promise<Result<readonly Addressing[], string>> {
  const addressings: Addressing[] = [];
  for (const [index, attachment] of attachments.entries()) {
    const begun = await write(ports, containerId, `${index}.attachment`, JSON.stringify(attachment));
    if (!begun.ok) return begun;
    const container = { containerId, namespace: namespaceOf(ports, containerId) };
    const result = await attach(ports.plugins, container, attachment, signal);
    if (!result.ok) return result;
    const kept = await write(ports, containerId, `${index}.result`, JSON.stringify(result.value));
    if (!kept.ok) return kept;
    const addressing = addressingOf(result.value);
    if (!addressing.ok) return err(`network ${attachment.network.name}: the result: ${addressing.error}`);
    addressings.push(addressing.value);
  }
  return ok(addressings);
}

interface NamedContainer {
  readonly containerId: ContainerId;
  readonly hostname: string;
  /** Where its networks say nothing about DNS; undefined: as the machine. */
  readonly defaultDns: CniDNS | undefined;
}

async function writeNameFiles(
  place: Place,
  { containerId, hostname, defaultDns }: NamedContainer,
  addressings: readonly Addressing[],
): Promise<Result<void, string>> {
  const ofHost = await place.files.readText(RESOLVER);
  const { nameservers = [], domain, search = [], options = [] } = defaultDns ?? {};
  const resolver =
    resolverText(addressings.map(({ dns }) => dns)) ??
    resolverText([{ nameservers, domain, search, options }]) ??
    (ofHost.ok ? ofHost.value : '');
  const addresses = addressings.flatMap((it) => it.addresses);
  const texts = { hostname: `${hostname}\n`, hosts: hostsText(hostname, addresses), 'resolv.conf': resolver };
  for (const [name, text] of Object.entries(texts)) {
    const written = await write(place, containerId, name, text);
    if (!written.ok) return written;
  }
  return ok(undefined);
}

/** Makes a container's namespace, and attaches it. When that fails, `removeNetwork` removes what was made. */
export async function makeNetwork(
  ports: AttachmentPorts,
  container: NamedContainer,
  attachments: readonly Attachment[],
  signal: AbortSignalLike,
): Promise<Result<ContainerNetwork, string>> {
  const { containerId, hostname } = container;
  const made = await ports.files.makeDirectory(directoryOf(ports, containerId), DIRECTORY_MODE);
  if (!made.ok) return err(made.error.message);
  const namespace = namespaceOf(ports, containerId);
  const created = ports.namespaces.create(namespace);
  if (!created.ok) return err(created.error.message);
  const attached = await attachAll(ports, containerId, attachments, signal);
  if (!attached.ok) return attached;
  const written = await writeNameFiles(ports, container, attached.value);
  if (!written.ok) return written;
  const infos = attached.value.map((addressing, index) => shownInfo(attachments[index]?.info ?? {}, addressing));
  return ok({ owner: containerId, namespace, hostname, infos });
}

/** Remembers that a nested container shares a network. */
export async function joinNetwork(
  place: Place,
  containerId: ContainerId,
  { owner }: ContainerNetwork,
): Promise<Result<void, string>> {
  const made = await place.files.makeDirectory(directoryOf(place, containerId), DIRECTORY_MODE);
  return made.ok ? write(place, containerId, 'joined', owner) : err(made.error.message);
}

interface Kept {
  readonly attachment: Attachment;
  readonly result: JsonObject | undefined;
}

/**
 * What this agent has written to a file; undefined: it is missing, or a crash interrupted its write. It has no limits: an
 * attachment has the network of the operator and what the task says of it, each of which may be as large as it is taken.
 */
async function readOwn<T>({ files }: Place, path: string): Promise<T | undefined> {
  const text = await files.readText(path);
  try {
    return text.ok ? (JSON.parse(text.value) as T) : undefined;
  } catch {
    return undefined;
  }
}

async function readAttachments(place: Place, containerId: string): Promise<readonly Kept[]> {
  const directory = directoryOf(place, containerId);
  const kept: Kept[] = [];
  for (let index = 0; index < MAX_NETWORKS; index++) {
    const attachment = await readOwn<Attachment>(place, `${directory}/${index}.attachment`);
    // Without a whole one, no plugin was called.
    if (attachment === undefined) break;
    kept.push({ attachment, result: await readOwn<JsonObject>(place, `${directory}/${index}.result`) });
  }
  return kept;
}

/** Detaches a container, and removes its namespace and files. Returns what failed. CONTAINER-NETWORKS-1. */
export async function removeNetwork(ports: AttachmentPorts, containerId: ContainerId): Promise<readonly string[]> {
  const { files, namespaces, plugins, rootDir } = ports;
  const stat = await files.stat(directoryOf(ports, containerId));
  if (!stat.ok) return [];
  const path = namespaceOf(ports, containerId);
  const container = { containerId, namespace: namespaces.exists(path) ? path : '' };
  const problems: string[] = [];
  for (const { attachment, result } of (await readAttachments(ports, containerId)).toReversed()) {
    pushAll(problems, await detach(plugins, container, attachment, result));
  }
  // Its interfaces end with it.
  const removed = namespaces.remove(path);
  if (!removed.ok) problems.push(`network namespace: ${removed.error.message}`);
  if (problems.length > 0) return problems;
  const cleared = await within(await files.openDirectory(rootDir), (root) => removeTree(root, containerId));
  return cleared.ok ? [] : [cleared.error.message];
}

/** The containers that have networks, share one, or had one that is not detached. */
export async function listContainers({ files, rootDir }: Place): Promise<readonly ContainerId[]> {
  const names = await listNames(files, rootDir);
  return names.ok ? names.value.map((name) => name as ContainerId) : [];
}

/** The network of a container that runs, from an earlier agent process. */
export async function readNetwork(place: Place, containerId: ContainerId): Promise<ContainerNetwork | undefined> {
  const joined = await place.files.readText(`${directoryOf(place, containerId)}/joined`);
  const owner = (joined.ok ? joined.value : containerId) as ContainerId;
  const hostname = await place.files.readText(`${directoryOf(place, owner)}/hostname`);
  if (!hostname.ok) return undefined;
  const infos = (await readAttachments(place, owner)).flatMap(({ attachment, result }) => {
    const addressing = addressingOf(result ?? {});
    return addressing.ok ? [shownInfo(attachment.info, addressing.value)] : [];
  });
  return { owner, namespace: namespaceOf(place, owner), hostname: hostname.value.trim(), infos };
}
