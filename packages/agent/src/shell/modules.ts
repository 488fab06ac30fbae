// The parameters of modules in `--modules` (docs/modules.md). Mesos loads modules from libraries; those that are built in here
// are found by their names, and their libraries are not looked at.
import { err, ok, type Result } from '@meseta/base';

interface Module {
  readonly name?: string;
  readonly parameters?: readonly { readonly key?: string; readonly value?: string }[];
}

/** The parameters of the module by their keys; none if the flag does not name it. */
export function moduleParameters(
  modules: string | undefined,
  name: string,
): Result<ReadonlyMap<string, string>, string> {
  try {
    const parsed = JSON.parse(modules ?? '{}') as { libraries?: readonly { modules?: readonly Module[] }[] };
    const found = parsed.libraries?.flatMap((library) => library.modules ?? []).find((it) => it.name === name);
    return ok(new Map((found?.parameters ?? []).map(({ key, value }) => [String(key), String(value)])));
  } catch {
    return err('Flag --modules: expected JSON, {"libraries": [{"modules": [{"name": ..., "parameters": [...]}]}]}');
  }
}
