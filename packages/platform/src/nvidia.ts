// The port NvidiaDriver, by NVIDIA's management library (NVML), which the driver brings.
import { err, type NvidiaDriver, ok, type Result } from '@meseta/base';
import koffi from 'koffi';

const LIBRARY = 'libnvidia-ml.so.1';
const MISSING = `NVIDIA's management library (${LIBRARY}) is missing: install the driver of the GPUs`;
const SUCCESS = 0;

function loadLibrary() {
  const library = koffi.load(LIBRARY);
  const define = <T extends (...values: never[]) => unknown>(declaration: string): T =>
    library.func(declaration) as unknown as T;
  return {
    init: define<() => number>('int nvmlInit_v2()'),
    count: define<(count: Uint32Array) => number>('int nvmlDeviceGetCount_v2(void *count)'),
    handleAt: define<(index: number, handle: BigUint64Array) => number>(
      'int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void *handle)',
    ),
    minor: define<(handle: bigint, minor: Uint32Array) => number>(
      'int nvmlDeviceGetMinorNumber(uintptr_t handle, void *minor)',
    ),
    textOf: define<(status: number) => string>('const char *nvmlErrorString(int status)'),
  };
}

type Library = ReturnType<typeof loadLibrary>;

function minorOf(library: Library, index: number): Result<number, string> {
  const handle = new BigUint64Array(1);
  const found = library.handleAt(index, handle);
  if (found !== SUCCESS) return err(`GPU ${index}: ${library.textOf(found)}`);
  const minor = new Uint32Array(1);
  const read = library.minor(handle[0] ?? 0n, minor);
  return read === SUCCESS ? ok(minor[0] ?? 0) : err(`GPU ${index}: ${library.textOf(read)}`);
}

/** Why this machine's GPUs are not known, or the port. */
export function createNvidiaDriver(): Result<NvidiaDriver, string> {
  let library: Library;
  try {
    library = loadLibrary();
  } catch {
    return err(MISSING);
  }
  const count = new Uint32Array(1);
  const status = library.init() || library.count(count);
  if (status !== SUCCESS) return err(`NVIDIA's management library: ${library.textOf(status)}`);
  return ok({ count: count[0] ?? 0, minorOf: (index) => minorOf(library, index) });
}
