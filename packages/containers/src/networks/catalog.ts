// The networks that containers can name.
//
// Owns: the networks that were read last. The directory is read again for a name that it did not have, as in Mesos.
import { err, type Files, ok, type Result } from '@meseta/base';
import type { NetworkInfo } from '@meseta/wire';
import { type Network, readNetworks } from './config.js';
import { type Attachment, mapsPorts } from './plugins.js';

/** Finds the networks that a container names, or which field names none. */
export type FindAttachments = (infos: readonly NetworkInfo[]) => Promise<Result<readonly Attachment[], string>>;

export function createNetworkCatalog(
  files: Files,
  directory: string,
  warn: (message: string) => void,
): FindAttachments {
  let networks: ReadonlyMap<string, Network> = new Map();

  async function find(name: string): Promise<Result<Network, string>> {
    const known = networks.get(name);
    if (known !== undefined) return ok(known);
    const read = await readNetworks(files, directory);
    if (!read.ok) return err(`--network_cni_config_dir: ${read.error}`);
    for (const problem of read.value.problems) warn(`network/cni: ${problem}`);
    networks = read.value.byName;
    const found = networks.get(name);
    return found === undefined ? err(`--network_cni_config_dir (${directory}) has no such network`) : ok(found);
  }

  return async (infos) => {
    const attachments: Attachment[] = [];
    for (const [index, info] of infos.entries()) {
      if (info.name === undefined) continue;
      const field = `container.network_infos[${index}]`;
      const network = await find(info.name);
      if (!network.ok) return err(`${field}.name: ${JSON.stringify(info.name.slice(0, 200))}: ${network.error}`);
      if ((info.port_mappings ?? []).length > 0 && !mapsPorts(network.value)) {
        return err(`${field}.port_mappings: no plugin of the network ${info.name} has the capability portMappings`);
      }
      attachments.push({ network: network.value, info, interfaceName: `eth${attachments.length}` });
    }
    return ok(attachments);
  };
}
