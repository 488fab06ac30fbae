// Containers with images, from the specification to the end, with the real launcher, supervisor and helper of the built dist/.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { ContainerId } from '@meseta/base';
import { createDevicePrograms } from '@meseta/platform/device-programs';
import { createNetworkNamespaces } from '@meseta/platform/network-namespaces';
import { createSeccompCompiler } from '@meseta/platform/seccomp';
import { until } from '@meseta/platform/testing/until';
import type { ContainerInfo } from '@meseta/wire';
import type { Containerizer, ContainerizerOptions } from '../containerizer.js';
import { cgroupsOptions, testCgroup } from '../testing/isolation.js';
import { next, nextFailure, root, spec, start, untilFile } from '../testing/launcher.js';
import type { ContainerSpec } from '../types.js';
import type { ImageOptions } from './images.js';
import { type Entry, tarOf } from './testing/tar.js';

const hasCgroups = fs.existsSync('/sys/fs/cgroup');
const asRoot = process.getuid?.() === 0 && hasCgroups ? {} : { skip: 'images need root and cgroups' };

/** The programs of the system that the tests run, with their libraries. */
function programs(): readonly Entry[] {
  const files = ['/bin/sh', '/bin/cat', '/bin/ls', '/bin/sleep'];
  const libraries =
    execFileSync('ldd', files)
      .toString()
      .match(/\/\S+\.so\S*/g) ?? [];
  return [...files, ...new Set(libraries)].map((path) => ({
    name: path,
    content: fs.readFileSync(fs.realpathSync(path)),
    mode: 0o755,
  }));
}

const PROGRAMS = programs();
const config = {
  Env: ['FROM=image'],
  WorkingDir: '/app',
  Entrypoint: ['/bin/sh', '-c', 'echo "$0 $*"'],
  Cmd: ['from', 'cmd'],
};

/** An archive of `docker save` with the programs and another layer. */
function archive(name: string, entries: readonly Entry[] = [], imageConfig: object = config): void {
  const layers = { low: tarOf(PROGRAMS), high: tarOf([{ name: 'etc/app', content: 'in the image\n' }, ...entries]) };
  const manifest = [{ Config: 'c', RepoTags: [name], Layers: Object.keys(layers) }];
  const documents = [
    { name: 'manifest.json', content: JSON.stringify(manifest) },
    { name: 'c', content: JSON.stringify({ config: imageConfig }) },
  ];
  const files = Object.entries(layers).map(([layer, content]) => ({ name: layer, content }));
  fs.mkdirSync(join(root, 'archives'), { recursive: true });
  fs.writeFileSync(join(root, 'archives', `${name}.tar`), tarOf([...documents, ...files]));
}

const imageOptions = (options: Partial<ImageOptions>): ImageOptions => ({
  storeDir: join(root, 'store'),
  rootsDir: join(root, 'roots'),
  registry: join(root, 'archives'),
  dockerConfig: undefined,
  stallTimeoutMs: 60_000,
  maxImageBytes: 2 ** 30,
  maxImageEntries: 10_000,
  backend: undefined,
  gc: undefined,
  sandboxDirectory: '/mnt/mesos/sandbox',
  ignoreRuntime: false,
  architecture: process.arch,
  helper: { program: process.execPath, arguments: [resolve('dist/meseta.mjs'), 'image-helper'] },
  ...options,
});

const startWithImages = (
  options: Partial<ImageOptions> = {},
  names = '',
  rest: Partial<ContainerizerOptions['isolation']> = {},
): Promise<Containerizer> => {
  const isolation: Partial<ContainerizerOptions['isolation']> = {
    names: `filesystem/linux,docker/runtime,volume/image,volume/sandbox_path${names}`,
    ...rest,
  };
  return start({ isolation, launcher: 'linux', images: imageOptions(options) });
};

const withImage = (name: string, rest: Partial<ContainerInfo> = {}): Partial<ContainerSpec> => ({
  container: { type: 'MESOS', mesos: { image: { type: 'DOCKER', docker: { name } } }, ...rest },
});

const output = (id: string): string => fs.readFileSync(join(root, `sandbox ${id}'s`, 'stdout'), 'utf8');
const mountsBelow = (path: string): readonly string[] =>
  fs
    .readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(path));
const rootsLeft = (): readonly string[] => fs.readdirSync(join(root, 'roots'));

async function run(
  containers: Containerizer,
  id: string,
  command: ContainerSpec['command'],
  rest: Partial<ContainerSpec>,
): Promise<string> {
  containers.launch(spec(id, command, rest));
  await next('exited', id);
  return output(id);
}

for (const backend of ['overlay', 'copy'] as const) {
  it(`a container has the root, the environment and the directory of its image (${backend})`, asRoot, async () => {
    archive('app:1');
    const containers = await startWithImages({ backend });
    const command = {
      value: 'pwd; cat /etc/app; echo $FROM; ls /mnt/mesos; echo written >/mnt/mesos/sandbox/file; echo x >/etc/app',
    };
    const seen = await run(containers, 'c', command, withImage('app:1'));
    assert.equal(seen, '/app\nin the image\nimage\nsandbox\n');
    assert.equal(fs.readFileSync(join(root, "sandbox c's", 'file'), 'utf8'), 'written\n');
    assert.deepEqual([rootsLeft(), mountsBelow(join(root, 'roots'))], [[], []]);
    // What it has written is not seen by the next one.
    assert.equal(await run(containers, 'd', { value: 'cat /etc/app' }, withImage('app:1')), 'in the image\n');
  });
}

describe('containers with images', asRoot, () => {
  it("the image's program, with its arguments or the command's", async () => {
    archive('app:1');
    const containers = await startWithImages();
    assert.equal(await run(containers, 'c', { shell: false }, withImage('app:1')), 'from cmd\n');
    assert.equal(await run(containers, 'd', { shell: false, arguments: ['a', 'b'] }, withImage('app:1')), 'a b\n');
  });

  it('the system calls of a container with an image are filtered, but not those that make its root', async (test) => {
    const compiler = createSeccompCompiler();
    if (!compiler.ok) return test.skip(compiler.error);
    archive('app:1');
    const rule = { names: ['chdir', 'fchdir', 'pivot_root', 'mount', 'setresuid'], action: 'SCMP_ACT_ERRNO' };
    fs.writeFileSync(
      join(root, 'profile'),
      JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', archMap: [], syscalls: [rule] }),
    );
    const containers = await start({
      isolation: { names: 'filesystem/linux,docker/runtime,namespaces/pid,linux/seccomp' },
      launcher: 'linux',
      images: imageOptions({}),
      seccomp: { configDir: root, profileName: 'profile', compiler },
    });
    const seen = await run(containers, 'c', { value: 'pwd; cd / 2>/dev/null || echo refused' }, withImage('app:1'));
    assert.equal(seen, '/app\nrefused\n');
  });

  it('with --docker_ignore_runtime, a command needs a program and starts in the sandbox', async () => {
    archive('app:1');
    const containers = await startWithImages({ ignoreRuntime: true });
    assert.equal(
      await run(containers, 'c', { value: 'pwd; echo -$FROM-' }, withImage('app:1')),
      '/mnt/mesos/sandbox\n--\n',
    );
    containers.launch(spec('d', { shell: false }, withImage('app:1')));
    const failed = await nextFailure('d');
    assert.match(failed, /command: expected a command/);
  });

  it('a volume with an image, beside an image and without one, writable or not', async () => {
    archive('app:1');
    archive('data:1', [{ name: 'data', content: 'of the volume\n' }]);
    const containers = await startWithImages();
    const volume = (mode: 'RO' | 'RW') => [
      { container_path: 'vol', mode, image: { type: 'DOCKER' as const, docker: { name: 'data:1' } } },
    ];
    const command = {
      value: 'cat /mnt/mesos/sandbox/vol/data; (echo x >/mnt/mesos/sandbox/vol/new) 2>/dev/null && echo writable',
    };
    assert.equal(await run(containers, 'c', command, withImage('app:1', { volumes: volume('RO') })), 'of the volume\n');
    assert.equal(
      await run(containers, 'd', command, withImage('app:1', { volumes: volume('RW') })),
      'of the volume\nwritable\n',
    );
    const onHost = { container: { type: 'MESOS' as const, volumes: volume('RO') } };
    assert.equal(await run(containers, 'e', { value: 'cat vol/data' }, onHost), 'of the volume\n');
    assert.deepEqual([rootsLeft(), mountsBelow(join(root, 'roots'))], [[], []]);
  });
});

it(
  "an image that asks for NVIDIA's driver has its files and devices, another one the devices only",
  asRoot,
  async (test) => {
    const programs = createDevicePrograms();
    const isVersion1 = fs.existsSync('/sys/fs/cgroup/devices');
    if (!isVersion1 && !programs.ok) return test.skip(programs.error);
    archive('app:1');
    archive('cuda:1', [], { Env: ['NVIDIA_VISIBLE_DEVICES=all', 'PATH=/bin'], WorkingDir: '/' });
    for (const name of ['dev', 'driver']) fs.mkdirSync(join(root, name));
    for (const [name, minor] of [
      ['nvidiactl', 255],
      ['nvidia-uvm', 254],
      ['nvidia0', 0],
    ] as const) {
      execFileSync('mknod', [join(root, 'dev', name), 'c', '195', String(minor)]);
    }
    fs.writeFileSync(join(root, 'driver/nvidia-smi'), '#!/bin/sh\necho smi\n', { mode: 0o755 });
    fs.writeFileSync(join(root, 'driver/libcuda.so.535.1'), 'of the driver\n');
    fs.symlinkSync('libcuda.so.535.1', join(root, 'driver/libcuda.so.1'));
    fs.writeFileSync(join(root, 'cache'), `\tlibcuda.so.1 (libc6,x86-64) => ${join(root, 'driver/libcuda.so.1')}\n`);
    const containers = await start({
      isolation: {
        names: 'filesystem/linux,docker/runtime,cgroups/devices,gpu/nvidia',
        cgroups: { ...cgroupsOptions, root: testCgroup, devicePrograms: programs },
      },
      launcher: 'linux',
      images: imageOptions({}),
      gpus: {
        minors: [0],
        deviceDirectory: join(root, 'dev'),
        programDirectories: [join(root, 'driver')],
        libraryCache: { program: 'cat', arguments: [join(root, 'cache')] },
      },
    });
    const script =
      'nvidia-smi; echo $LD_LIBRARY_PATH; cat /usr/local/nvidia/lib64/*; echo x >/usr/local/nvidia/lib64/*; ls /dev';
    const seen = await run(containers, 'c', { value: script }, withImage('cuda:1'));
    const paths = '/usr/local/cuda/compat:/usr/local/nvidia/lib:/usr/local/nvidia/lib64';
    assert.match(seen, new RegExp(`^smi\\n${paths}\\nof the driver\\n(?:\\w+\\n)*nvidia-uvm\\nnvidia0\\nnvidiactl\\n`));
    assert.equal(fs.readFileSync(join(root, 'driver/libcuda.so.535.1'), 'utf8'), 'of the driver\n');
    const other = await run(containers, 'd', { value: 'ls /usr/local/nvidia /dev' }, withImage('app:1'));
    assert.ok(other.includes('nvidia0') && !other.includes('lib64'));
  },
);

describe('mounts of containers with images', asRoot, () => {
  it('MOUNTS-2: a volume at an absolute path is made in the root of the image, where its links lead', async () => {
    archive('app:1', [
      { name: 'below/old', content: '' },
      { name: 'link', type: '2', target: '/below' },
      { name: 'dangling', type: '2', target: '/nowhere' },
    ]);
    const containers = await startWithImages({}, ',volume/host_path');
    fs.mkdirSync(join(root, 'host'));
    fs.writeFileSync(join(root, 'host/file'), 'of the machine\n');
    const volumes = ['/made/for/it', '/link/here', '/etc/app'].map((container_path, index) => ({
      container_path,
      mode: 'RW' as const,
      host_path: join(root, index === 2 ? 'host/file' : 'host'),
    }));
    const command = { value: 'cat /made/for/it/file /below/here/file /etc/app; echo x >/below/here/new' };
    const seen = await run(containers, 'c', command, withImage('app:1', { volumes }));
    assert.equal(seen, 'of the machine\n'.repeat(3));
    assert.deepEqual(fs.readdirSync(join(root, 'host')).sort(), ['file', 'new']);
    assert.equal(fs.existsSync('/below'), false);
    const dangling = [{ container_path: '/dangling/here', mode: 'RW' as const, host_path: join(root, 'host') }];
    containers.launch(spec('d', { value: 'true' }, withImage('app:1', { volumes: dangling })));
    assert.equal(await nextFailure('d'), '/dangling/here: dangling is a link to nothing');
    assert.deepEqual([rootsLeft(), mountsBelow(root)], [[], []]);
  });

  it('a nested container shares the sandbox and namespaces of a parent with an image', async () => {
    archive('app:1');
    archive('data:1', [{ name: 'data', content: 'of the volume\n' }]);
    const containers = await startWithImages({}, ',namespaces/pid,namespaces/ipc');
    const image = { type: 'DOCKER' as const, docker: { name: 'data:1' } };
    const own = { volumes: [{ container_path: 'vol', mode: 'RW' as const, image }] };
    const command = { value: 'echo shm >/dev/shm/file; echo up >/mnt/mesos/sandbox/up; sleep 1000' };
    const parent = spec('parent', command, withImage('app:1', own));
    containers.launch(parent);
    await next('started', 'parent');
    await untilFile(join(parent.sandbox, 'up'));
    const container: ContainerInfo = {
      type: 'MESOS',
      linux_info: { share_pid_namespace: true, ipc_mode: 'SHARE_PARENT' },
      volumes: [
        {
          container_path: 'a',
          mode: 'RO',
          source: { type: 'SANDBOX_PATH', sandbox_path: { type: 'PARENT', path: 'vol' } },
        },
      ],
    };
    const outer = { containerId: parent.containerId, sandbox: parent.sandbox, volumes: [] };
    for (const [id, shown] of [
      ['plain', container],
      ['image', { ...container, mesos: { image: { type: 'DOCKER', docker: { name: 'app:1' } } } }],
    ] as const) {
      const below = id === 'image' ? '/mnt/mesos/sandbox/' : '';
      const value = `cat ${below}a/data /dev/shm/file /proc/2/comm; (echo x >${below}a/new) 2>/dev/null || echo refused`;
      const nested = spec(id, { value }, { container: shown, outer, sandbox: join(parent.sandbox, 'containers', id) });
      containers.launch(nested);
      await next('exited', id);
      const text = fs.readFileSync(join(nested.sandbox, 'stdout'), 'utf8');
      assert.equal(text, 'of the volume\nshm\nsh\nrefused\n', fs.readFileSync(join(nested.sandbox, 'stderr'), 'utf8'));
    }
    containers.destroy(parent.containerId);
    await next('exited', 'parent');
    assert.deepEqual([rootsLeft(), mountsBelow(root)], [[], []]);
  });
});

it('a container with an image and a network sees its own names and interfaces', asRoot, async () => {
  archive('app:1', [{ name: 'etc/hosts', content: 'of the image\n' }]);
  const [configDir, pluginsDir] = [join(root, 'config'), join(root, 'plugins')];
  for (const directory of [configDir, pluginsDir]) fs.mkdirSync(directory);
  fs.writeFileSync(join(configDir, 'net.conf'), '{"cniVersion": "1.0.0", "name": "net", "type": "plain"}');
  const result = '{"ips": [{"address": "10.1.0.5/16"}], "dns": {"nameservers": ["10.1.0.1"]}}';
  fs.writeFileSync(join(pluginsDir, 'plain'), `#!/bin/sh\necho '${result}'\n`, { mode: 0o755 });
  const rootDir = join(root, 'networks');
  const namespaces = createNetworkNamespaces();
  const cni = { configDir, pluginsDir, rootDir, pluginTimeoutMs: 10_000, defaultDns: [], namespaces };
  const containers = await startWithImages({}, ',network/cni,namespaces/pid', { cni });
  const value = 'cat /etc/hosts /etc/hostname /etc/resolv.conf /proc/sys/kernel/hostname; ls /sys/class/net';
  const seen = await run(
    containers,
    'c',
    { value },
    withImage('app:1', { hostname: 'web', network_infos: [{ name: 'net' }] }),
  );
  assert.match(seen, /^127\.0\.0\.1\tlocalhost\n.*\n10\.1\.0\.5\tweb\nweb\nnameserver 10\.1\.0\.1\nweb\nlo\n$/);
  assert.deepEqual([fs.readdirSync(rootDir), mountsBelow(root)], [[], []]);
});

describe('what containers with images leave', asRoot, () => {
  it('links of the image at the places of mounts lead to nothing of the machine', async () => {
    const links = ['mnt', 'proc', 'sys', 'dev', 'app'].map((name) => ({ name, type: '2', target: `${root}/trap` }));
    archive('app:1', links);
    fs.mkdirSync(join(root, 'trap'));
    const containers = await startWithImages();
    containers.launch(spec('c', { value: 'echo started' }, withImage('app:1')));
    await Promise.race([next('exited', 'c').catch(() => {}), nextFailure('c')]);
    assert.deepEqual(fs.readdirSync(join(root, 'trap')), []);
    assert.deepEqual([rootsLeft(), mountsBelow(root)], [[], []]);
  });

  it('a restart of the agent leaves a running container its root, and removes those of others', async () => {
    archive('app:1');
    const first = await startWithImages();
    first.launch(spec('c', { value: 'while [ ! -e go ]; do sleep 0.05; done; cat /etc/app' }, withImage('app:1')));
    await next('started', 'c');
    await first.close();
    fs.mkdirSync(join(root, 'roots/orphan/0/root'), { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(root, 'roots/orphan/0/root')]);
    assert.equal(mountsBelow(join(root, 'roots')).length, 2);
    const second = await startWithImages();
    const recovered = await second.recover();
    assert.deepEqual(
      recovered.map(({ state }) => state),
      ['running'],
    );
    assert.deepEqual(rootsLeft(), ['c']);
    assert.equal(await second.pruneImages([]), undefined);
    fs.mkdirSync(join(root, "sandbox c's"), { recursive: true });
    // The working directory is /app of the image.
    second.destroy('c' as ContainerId);
    await next('exited', 'c');
    assert.deepEqual([rootsLeft(), mountsBelow(join(root, 'roots'))], [[], []]);
    assert.equal(await second.pruneImages([]), undefined);
    assert.deepEqual(fs.readdirSync(join(root, 'store/layers')), []);
  });

  it('a container that is destroyed while its image is pulled fails at once', async (t) => {
    const { port, begun } = await silentServer(t);
    const containers = await startWithImages({ registry: `http://127.0.0.1:${port}` });
    containers.launch(spec('c', { value: 'true' }, withImage('app:1')));
    await begun;
    containers.destroy('c' as ContainerId);
    assert.match(await nextFailure('c'), /image app:1: stopped/);
    await until('what was pulled is removed', () => fs.readdirSync(join(root, 'store/staging')).length === 0);
  });

  it('an archive that attacks fails the launch with its reason and leaves nothing', async () => {
    archive('app:1', [{ name: '../../../outside', content: 'x' }]);
    const containers = await startWithImages();
    containers.launch(spec('c', { value: 'true' }, withImage('app:1')));
    assert.match(
      await nextFailure('c'),
      /image app:1: .*layer 2 of 2: "\.\.\/\.\.\/\.\.\/outside": leads out of the layer/,
    );
    assert.deepEqual([rootsLeft(), fs.readdirSync(join(root, 'store/staging'))], [[], []]);
  });
});

/** A server that accepts connections and never answers. */
async function silentServer(t: TestContext): Promise<{ readonly port: number; readonly begun: Promise<void> }> {
  let arrived = (): void => {};
  const begun = new Promise<void>((done) => {
    arrived = done;
  });
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', arrived);
    t.after(() => socket.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()));
  t.after(() => server.close());
  return { port: (server.address() as AddressInfo).port, begun };
}
