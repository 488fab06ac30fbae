// The limits on the size of tasks' stdout and stderr in the flags: the parameters of Mesos' module
// org_apache_mesos_LogrotateContainerLogger (docs/logging.md), without a process per task.
import { err, ok, parseByteSize, type Result } from '@meseta/base';
import { KEPT_FILES, type RotationLimits } from '@meseta/containers/streams/rotation';
import { moduleParameters } from './modules.js';

const ROTATING = 'org_apache_mesos_LogrotateContainerLogger';
const SANDBOX = 'org_apache_mesos_SandboxContainerLogger';
const DEFAULT_BYTES = 10 * 2 ** 20;

/** The limits set by `--container_logger` and the parameters of its module in `--modules`; undefined: no limits. */
export function rotationLimits(
  logger: string | undefined,
  modules: string | undefined,
): Result<RotationLimits | undefined, string> {
  if (logger === undefined || logger === SANDBOX) return ok(undefined);
  if (logger !== ROTATING) return err(`Flag --container_logger: expected ${SANDBOX} or ${ROTATING}, got ${logger}`);
  const parameters = moduleParameters(modules, ROTATING);
  if (!parameters.ok) return parameters;
  const size = parameters.value.get('max_stdout_size');
  if (size === undefined) return ok({ maxBytes: DEFAULT_BYTES, keptFiles: KEPT_FILES });
  const bytes = parseByteSize(size);
  return bytes.ok ? ok({ maxBytes: bytes.value, keptFiles: KEPT_FILES }) : err(`Flag --modules: ${bytes.error}`);
}
