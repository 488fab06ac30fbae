import { err, ok, type Result } from '@meseta/base';
import { type Resource, renderWireError } from '@meseta/wire';
import { ResourceCodec } from '@meseta/wire/codecs';
import { parseExactJson } from '@meseta/wire/json-parser';

/** A JSON array of resources, as flags and forms hold it; its entries are not validated yet. */
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
