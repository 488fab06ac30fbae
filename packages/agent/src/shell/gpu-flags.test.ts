import assert from 'node:assert/strict';
import { test } from 'node:test';
import { err, type NvidiaDriver, ok, type Result } from '@meseta/base';
import { parseResources } from '@meseta/resources';
import { offeredGpus } from './gpu-flags.js';
import { parseGpuIndexes } from './gpu-indexes.js';

const MISSING = err('the library is missing');
/** Three GPUs, whose devices have other numbers than they. */
const three: NvidiaDriver = { count: 3, minorOf: (index) => (index === 2 ? err('GPU 2: lost') : ok(5 - index)) };

async function offered(
  isolation: string,
  resources: string | undefined,
  devices: readonly number[] | undefined,
  driver: Result<NvidiaDriver, string>,
): Promise<string> {
  const given = parseResources(resources ?? '', '*');
  assert.ok(given.ok);
  const flags = { isolation, resources, default_role: '*', nvidia_gpu_devices: devices };
  let loads = 0;
  const found = await offeredGpus(flags, given.value, async () => {
    loads++;
    return driver;
  });
  if (!found.ok) return found.error;
  const { options, resources: more } = found.value;
  const gpus = more.map(({ name, scalar }) => `${name}:${scalar?.value}`).join();
  const parts = [options?.minors.join() ?? 'none', gpus, loads === 0 ? '' : 'loaded'];
  return parts.filter((part) => part !== '').join(' ');
}

const GPU = 'cgroups/devices, gpu/nvidia';

test('the flags name as many GPUs as --resources has, or all of the machine are offered', async () => {
  const table: readonly (readonly [Parameters<typeof offered>, string | RegExp])[] = [
    [['posix/cpu', undefined, undefined, ok(three)], 'none'],
    [['posix/cpu', 'gpus:2', undefined, ok(three)], 'none'],
    [['posix/cpu', 'gpus:2', [0, 1], ok(three)], /^Flag --nvidia_gpu_devices: expected gpu\/nvidia in --isolation$/],
    [[GPU, 'cpus:1;gpus:2', [0, 1], ok(three)], '5,4 loaded'],
    [[GPU, 'gpus(web):1;gpus:1', [1, 0], ok(three)], '4,5 loaded'],
    [[GPU, 'gpus:1', [7], MISSING], '7 loaded'],
    [[GPU, 'gpus:0', undefined, ok(three)], ''],
    [[GPU, 'gpus:0', [0], ok(three)], /^Flag --nvidia_gpu_devices: expected none/],
    [[GPU, undefined, [0], ok(three)], /^Flag --nvidia_gpu_devices: expected gpus in --resources too$/],
    [[GPU, 'gpus:1', undefined, ok(three)], /^Flag --resources: gpus need --nvidia_gpu_devices/],
    [[GPU, 'gpus:2', [0], ok(three)], /^Flag --nvidia_gpu_devices: expected 2 GPUs, .*, got 1$/],
    [[GPU, 'gpus:1.5', [0], ok(three)], /^Flag --nvidia_gpu_devices: expected 1\.5 GPUs/],
    [[GPU, 'gpus:1', [3], ok(three)], /^Flag --nvidia_gpu_devices: 3: this machine has 3 GPUs, from 0 on$/],
    [[GPU, 'gpus:1', [2], ok(three)], /^--isolation=gpu\/nvidia: GPU 2: lost$/],
    [[GPU, undefined, undefined, ok({ ...three, count: 2 })], '5,4 gpus:2 loaded'],
    [[GPU, undefined, undefined, ok({ ...three, count: 0 })], 'loaded'],
    [
      [GPU, undefined, undefined, MISSING],
      /^--isolation=gpu\/nvidia: the library is missing, or name the GPUs by --nvidia_gpu_devices and gpus in --resources$/,
    ],
  ];
  for (const [given, expected] of table) {
    const found = await offered(...given);
    if (typeof expected === 'string') assert.equal(found, expected, JSON.stringify(given.slice(0, 3)));
    else assert.match(found, expected);
  }
});

test('--nvidia_gpu_devices has different numbers, separated by commas', () => {
  assert.deepEqual(parseGpuIndexes('3, 0,10'), ok([3, 0, 10]));
  const table: readonly (readonly [string, RegExp])[] = [
    ['', /^expected numbers separated by commas, such as 0,1; got ""$/],
    ['0,', /got ""$/],
    ['0;1', /got "0;1"$/],
    ['-1', /got "-1"$/],
    ['123456', /got "123456"$/],
    ['1,0,1', /^expected each number once$/],
    [Array.from({ length: 1001 }, (_, number) => number).join(), /^expected at most 1000 numbers, got 1001$/],
  ];
  for (const [text, expected] of table) {
    const parsed = parseGpuIndexes(text);
    assert.match(parsed.ok ? 'parsed' : parsed.error, expected);
  }
});
