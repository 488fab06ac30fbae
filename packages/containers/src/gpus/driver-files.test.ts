import assert from 'node:assert/strict';
import { test } from 'node:test';
import { librariesIn, needsDriver, withDriverPaths } from './driver-files.js';

test('the libraries of the driver are those of the cache, each name once for 32 and once for 64 bits', () => {
  const cache = `4 libs found in cache \`/etc/ld.so.cache'
\tlibcuda.so.1 (libc6,x86-64) => /usr/lib/x86_64-linux-gnu/libcuda.so.1
\tlibcuda.so.1 (libc6,x86-64) => /opt/other/libcuda.so.1
\tlibcuda.so.1 (libc6) => /usr/lib/i386-linux-gnu/libcuda.so.1
\tlibcuda.so (libc6,AArch64) => /usr/lib/aarch64-linux-gnu/libcuda.so
\tlibcudart.so.12 (libc6,x86-64) => /usr/local/cuda/lib64/libcudart.so.12
\tlibcuda.somewhere (libc6,x86-64) => /x
\tlibnvidia-ml.so.1 (libc6,x86-64, OS ABI: Linux 2.3.99) => /usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1
\tlibGL.so.1 (libc6,x86-64) => /usr/lib/x86_64-linux-gnu/libGL.so.1
no line of the cache`;
  assert.deepEqual(
    librariesIn(cache).map(({ name, path }) => `${name} ${path}`),
    [
      'lib64/libcuda.so.1 /usr/lib/x86_64-linux-gnu/libcuda.so.1',
      'lib/libcuda.so.1 /usr/lib/i386-linux-gnu/libcuda.so.1',
      'lib64/libcuda.so /usr/lib/aarch64-linux-gnu/libcuda.so',
      'lib64/libnvidia-ml.so.1 /usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1',
    ],
  );
});

test('an image asks for the driver by NVIDIA_VISIBLE_DEVICES, or without it by a label', () => {
  const labels = ['com.nvidia.volumes.needed'];
  const table: readonly (readonly [Parameters<typeof needsDriver>[0], boolean])[] = [
    [{ env: [] }, false],
    [{ env: ['NVIDIA_VISIBLE_DEVICES=all'] }, true],
    [{ env: ['NVIDIA_VISIBLE_DEVICES=none'] }, true],
    [{ env: ['NVIDIA_VISIBLE_DEVICES='], labels }, false],
    [{ env: ['NVIDIA_VISIBLE_DEVICES=void'] }, false],
    [{ env: ['NVIDIA_VISIBLE_DEVICES_OTHER=all'] }, false],
    [{ env: [], labels }, true],
    [{ env: [], labels: ['other'] }, false],
  ];
  for (const [config, expected] of table) assert.equal(needsDriver(config), expected, JSON.stringify(config));
});

test("the image's own paths go before those of the driver", () => {
  const env = ['PATH=/a:/b', 'LD_LIBRARY_PATH=/usr/local/nvidia/lib64', 'OTHER=x'];
  assert.deepEqual(withDriverPaths(env).slice(env.length), [
    'PATH=/a:/b:/usr/local/nvidia/bin',
    'LD_LIBRARY_PATH=/usr/local/nvidia/lib64:/usr/local/cuda/compat:/usr/local/nvidia/lib',
  ]);
});
