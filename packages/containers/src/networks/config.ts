// Networks as operators configure them: files of the Container Network Interface, with one plugin (.conf, .json) or several
// (.conflist) (the specification, version 1.0.0, "Network configuration format").
import { err, type Files, ok, type Result } from '@meseta/base';
import { isObject, type JsonObject, listOf, MAX_JSON_BYTES, parseObject } from '../operator-json.js';

/** The versions whose results this agent understands. A configuration without a version has the first. */
const VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0'];
const SUFFIXES = ['.conf', '.conflist', '.json'];
const MAX_FILES = 1000;
const MAX_PLUGINS = 32;

export interface Network {
  readonly name: string;
  readonly version: string;
  /** In the order in which they are called for a new container. */
  readonly plugins: readonly JsonObject[];
}

/** A name becomes part of paths of plugins. */
const isName = (name: unknown): name is string =>
  typeof name === 'string' && /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(name);

export function parseNetwork(text: string): Result<Network, string> {
  const parsed = parseObject(text);
  if (!parsed.ok) return parsed;
  const { name, cniVersion = '0.1.0', plugins = [parsed.value] } = parsed.value;
  if (!isName(name)) return err('name: expected at most 128 letters, digits, "_", "." and "-"');
  if (typeof cniVersion !== 'string' || !VERSIONS.includes(cniVersion)) {
    return err(`cniVersion: expected one of ${VERSIONS.join(', ')}, got ${JSON.stringify(cniVersion).slice(0, 100)}`);
  }
  const list = listOf(plugins);
  if (list.length === 0 || list.length > MAX_PLUGINS) return err(`plugins: expected 1 to ${MAX_PLUGINS} plugins`);
  const problem = list.findIndex((plugin) => !isObject(plugin) || !isName(plugin['type']));
  if (problem >= 0) return err(`plugins[${problem}].type: expected the name of a program`);
  return ok({ name, version: cniVersion, plugins: list.filter(isObject) });
}

export const typeOf = (plugin: JsonObject): string => String(plugin['type']);

export interface Networks {
  readonly byName: ReadonlyMap<string, Network>;
  /** The files that are no networks, with the reasons. */
  readonly problems: readonly string[];
}

/** The networks of a directory. Of several with one name, the one in the first file by name is taken. */
export async function readNetworks(files: Files, directory: string): Promise<Result<Networks, string>> {
  const opened = await files.openDirectory(directory);
  if (!opened.ok) return err(opened.error.message);
  const names: string[] = [];
  const listed = await opened.value.list((entries) => {
    for (const { name } of entries) if (SUFFIXES.some((suffix) => name.endsWith(suffix))) names.push(name);
    return names.length <= MAX_FILES;
  });
  opened.value.close();
  if (!listed.ok) return err(listed.error.message);
  if (names.length > MAX_FILES) return err(`${directory}: expected at most ${MAX_FILES} networks`);
  const byName = new Map<string, Network>();
  const problems: string[] = [];
  for (const name of names.sort()) {
    const path = `${directory}/${name}`;
    const network = await readNetwork(files, path);
    if (!network.ok) problems.push(`${path}: ${network.error}`);
    else if (byName.has(network.value.name))
      problems.push(`${path}: another file has the network ${network.value.name}`);
    else byName.set(network.value.name, network.value);
  }
  return ok({ byName, problems });
}

async function readNetwork(files: Files, path: string): Promise<Result<Network, string>> {
  const stat = await files.stat(path);
  if (!stat.ok) return err(stat.error.message);
  if (stat.value.kind === 'file' && stat.value.sizeBytes > MAX_JSON_BYTES) {
    return err(`expected at most ${MAX_JSON_BYTES} bytes`);
  }
  const text = await files.readText(path);
  return text.ok ? parseNetwork(text.value) : err(text.error.message);
}
