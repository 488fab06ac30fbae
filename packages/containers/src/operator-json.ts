// JSON of operators and of programs that they install (networks, results of plugins, seccomp profiles), with limits on its size
// and depth. Pure.
import { err, ok, type Result } from '@meseta/base';

export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

export const MAX_JSON_BYTES = 256 * 1024;
const MAX_JSON_DEPTH = 32;

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const listOf = (value: Json | undefined): readonly Json[] =>
  Array.isArray(value) ? (value as readonly Json[]) : [];

/** How deep lists and objects are nested in a text; what is in strings does not count. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let isInString = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (isInString) {
      if (character === '\\') at++;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === '{' || character === '[') deepest = Math.max(deepest, ++depth);
    else if (character === '}' || character === ']') depth--;
  }
  return deepest;
}

export function parseObject(text: string): Result<JsonObject, string> {
  if (Buffer.byteLength(text) > MAX_JSON_BYTES) return err(`expected at most ${MAX_JSON_BYTES} bytes`);
  if (depthOf(text) > MAX_JSON_DEPTH) return err(`expected at most ${MAX_JSON_DEPTH} lists and objects in each other`);
  try {
    const value = JSON.parse(text) as Json;
    return isObject(value) ? ok(value) : err('expected a JSON object');
  } catch (error) {
    return err(`expected JSON: ${error instanceof Error ? error.message.slice(0, 200) : ''}`);
  }
}
