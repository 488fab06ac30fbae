// Resources as JSON text, the format that flags and forms of the operator API accept beside `cpus:4;mem:1024`.
import { err, ok, type Result } from '@meseta/base';
import { type Resource, renderWireError } from '@meseta/wire';
import { ResourceCodec } from '@meseta/wire/codecs';
import { parseExactJson } from '@meseta/wire/json-parser';

/** Parses the JSON array of resources of a flag or form; the resources are not validated. */
export function resourcesFromJson(text: string): Result<readonly Resource[], string> {
  const parsed = parseExactJson(text);
  if (!parsed.ok) return err(`expected a JSON array of resources: ${parsed.error.found}`);
  const json = parsed.value;
  if (!Array.isArray(json)) return err('expected a JSON array of resources');
  const list: Resource[] = [];
  for (let i = 0; i < json.length; i++) {
    const resource = ResourceCodec.read(json[i]);
    if (!resource.ok) return err(`resources[${i}]: ${renderWireError(resource.error)}`);
    list.push(resource.value);
  }
  return ok(list);
}
