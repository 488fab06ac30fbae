// The programs and libraries of NVIDIA's driver that a container with an image needs of the machine: they must be those of the
// kernel's module. They are mounted below one directory, as Mesos does it (docs/gpu-support.md).
import type { Files, LinuxMount, Processes, ProcessRequest } from '@meseta/base';
import type { ImageConfig } from '../images/manifests.js';

/** Where the files of a driver are looked for. */
export interface DriverPlaces {
  readonly programDirectories: readonly string[];
  /** Lists the libraries that the loader knows, as `ldconfig -p` (ldconfig(8)). */
  readonly libraryCache: ProcessRequest;
}

/** A file of the machine, and its path below the directory. */
export interface DriverFile {
  readonly path: string;
  readonly name: string;
}

const DIRECTORY = '/usr/local/nvidia';
/** Libraries in an image for newer programs than the driver; they go before those of the driver. */
const COMPATIBLE = '/usr/local/cuda/compat';

const PROGRAMS = [
  'nvidia-smi',
  'nvidia-debugdump',
  'nvidia-persistenced',
  'nvidia-cuda-mps-control',
  'nvidia-cuda-mps-server',
];

/** Without those that other vendors have too (libGL.so, libEGL.so and libGLES*.so), which images bring. */
const LIBRARIES = [
  'libnvidia-ml.so',
  'libnvidia-cfg.so',
  'libnvidia-gpucomp.so',
  'libcuda.so',
  'libnvidia-opencl.so',
  'libnvidia-ptxjitcompiler.so',
  'libnvidia-fatbinaryloader.so',
  'libnvidia-compiler.so',
  'libnvidia-nvvm.so',
  'libvdpau_nvidia.so',
  'libnvidia-encode.so',
  'libnvcuvid.so',
  'libnvidia-eglcore.so',
  'libnvidia-glcore.so',
  'libnvidia-tls.so',
  'libnvidia-glsi.so',
  'libnvidia-fbc.so',
  'libnvidia-ifr.so',
  'libGLX_nvidia.so',
  'libEGL_nvidia.so',
  'libGLESv2_nvidia.so',
  'libGLESv1_CM_nvidia.so',
];

const CACHE_TIMEOUT_MS = 30_000;
const CACHE_BYTES = 4 * 2 ** 20;

/** The driver's libraries in the output of ldconfig, whose lines are `NAME (KINDS) => PATH`. The first of a name is the loader's. */
export function librariesIn(cache: string): readonly DriverFile[] {
  const found = new Map<string, DriverFile>();
  for (const line of cache.split('\n')) {
    const [left = '', path] = line.split(' => ');
    const [name = '', kinds = ''] = left.trim().split(' (');
    if (path === undefined || !LIBRARIES.some((known) => name === known || name.startsWith(`${known}.`))) continue;
    const is64 = /\b(?:x86-64|AArch64)\b/.test(kinds);
    const target = `${is64 ? 'lib64' : 'lib'}/${name}`;
    if (!found.has(target)) found.set(target, { path, name: target });
  }
  return [...found.values()];
}

export async function findDriverFiles(
  { programDirectories, libraryCache }: DriverPlaces,
  files: Pick<Files, 'realPath'>,
  processes: Pick<Processes, 'run'>,
): Promise<readonly DriverFile[]> {
  const run = await processes.run(libraryCache, { timeoutMs: CACHE_TIMEOUT_MS, outputBytes: CACHE_BYTES });
  const wanted = PROGRAMS.map((name) => ({
    name: `bin/${name}`,
    paths: programDirectories.map((it) => `${it}/${name}`),
  }));
  const libraries = run.ok ? librariesIn(run.value.stdout).map(({ name, path }) => ({ name, paths: [path] })) : [];
  const found: DriverFile[] = [];
  for (const { name, paths } of [...wanted, ...libraries]) {
    for (const path of paths) {
      const real = await files.realPath(path);
      if (!real.ok) continue;
      found.push({ path: real.value, name });
      break;
    }
  }
  return found;
}

/** Whether the image asks for the driver: by the variable of NVIDIA's container toolkit, or the label of its predecessor. */
export function needsDriver({ env, labels = [] }: Pick<ImageConfig, 'env' | 'labels'>): boolean {
  const variable = env.find((each) => each.startsWith(`${VISIBLE_DEVICES}=`));
  if (variable === undefined) return labels.includes('com.nvidia.volumes.needed');
  return !['', 'void'].includes(variable.slice(VISIBLE_DEVICES.length + 1));
}

const VISIBLE_DEVICES = 'NVIDIA_VISIBLE_DEVICES';

export const mountsOf = (driverFiles: readonly DriverFile[]): readonly LinuxMount[] =>
  driverFiles.map(({ path, name }) => ({
    kind: 'bind',
    source: { root: path, names: [] },
    target: `${DIRECTORY}/${name}`,
    isReadOnly: true,
  }));

/** The image's variables, by which its programs find the driver's too. */
export function withDriverPaths(env: readonly string[]): readonly string[] {
  const extended = (name: string, more: readonly string[]): string => {
    const before = env.findLast((each) => each.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
    const paths = before.split(':').filter((path) => path !== '');
    return `${name}=${[...new Set([...paths, ...more])].join(':')}`;
  };
  return [
    ...env,
    extended('PATH', [`${DIRECTORY}/bin`]),
    extended('LD_LIBRARY_PATH', [COMPATIBLE, `${DIRECTORY}/lib`, `${DIRECTORY}/lib64`]),
  ];
}
