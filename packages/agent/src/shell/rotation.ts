// The limits on the size of tasks' stdout and stderr in the flags: the parameters of Mesos' module
// org_apache_mesos_LogrotateContainerLogger (docs/logging.md), without a process per task.
import { err, ok, parseByteSize, type Result } from '@meseta/base';
import { KEPT_FILES, type RotationLimits } from '@meseta/containers/streams/rotation';

const ROTATING = 'org_apache_mesos_LogrotateContainerLogger';
const SANDBOX = 'org_apache_mesos_SandboxContainerLogger';
const DEFAULT_BYTES = 10 * 2 ** 20;

interface Module {
  readonly name?: string;
  readonly parameters?: readonly { readonly key?: string; readonly value?: string }[];
}

/** The limits set by `--container_logger` and the parameters of its module in `--modules`; undefined: no limits. */
export function rotationLimits(
  logger: string | undefined,
  modules: string | undefined,
): Result<RotationLimits | undefined, string> {
  if (logger === undefined || logger === SANDBOX) return ok(undefined);
  if (logger !== ROTATING) return err(`Flag --container_logger: expected ${SANDBOX} or ${ROTATING}, got ${logger}`);
  let found: Module | undefined;
  try {
    const parsed = JSON.parse(modules ?? '{}') as { libraries?: readonly { modules?: readonly Module[] }[] };
    found = parsed.libraries?.flatMap((library) => library.modules ?? []).find(({ name }) => name === ROTATING);
  } catch {
    return err('Flag --modules: expected JSON, {"libraries": [{"modules": [{"name": ..., "parameters": [...]}]}]}');
  }
  const size = found?.parameters?.find(({ key }) => key === 'max_stdout_size')?.value;
  if (size === undefined) return ok({ maxBytes: DEFAULT_BYTES, keptFiles: KEPT_FILES });
  const bytes = parseByteSize(size);
  return bytes.ok ? ok({ maxBytes: bytes.value, keptFiles: KEPT_FILES }) : err(`Flag --modules: ${bytes.error}`);
}
