// The values of the flags of images.
import { err, ok, type Result } from '@meseta/base';
import { asGiven, valueFlag } from '@meseta/platform';
import type { ImageGcConfig } from '@meseta/wire';
import { ImageGcConfigCodec } from '@meseta/wire/codecs';

const PROVIDERS = ['docker', 'appc'];

function parseProviders(text: string): Result<readonly string[], string> {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !PROVIDERS.includes(name));
  if (unknown !== undefined) return err(`expected docker, got ${JSON.stringify(unknown)}`);
  return names.includes('appc')
    ? err('expected docker: images of appc are not supported, as that format was given up')
    : ok(names);
}
export const providersFlag = (options: { readonly help: string }) =>
  valueFlag(parseProviders, (names) => names.join(','), options);

function parseBackend(text: string): Result<'overlay' | 'copy', string> {
  return text === 'overlay' || text === 'copy'
    ? ok(text)
    : err(`expected overlay or copy (aufs and bind are not supported), got ${JSON.stringify(text)}`);
}
export const backendFlag = (options: { readonly help: string }) => valueFlag(parseBackend, asGiven, options);

function parseRegistry(text: string): Result<string, string> {
  const isUrl = /^https?:\/\//.test(text) && URL.canParse(text);
  if (isUrl || text.startsWith('/')) return ok(text);
  return err(`expected an http or https URL, or the absolute path of a directory, got ${JSON.stringify(text)}`);
}
export const registryFlag = (options: { readonly default: string; readonly help: string }) =>
  valueFlag(parseRegistry, asGiven, options);

function parseImageGc(text: string): Result<ImageGcConfig, string> {
  const config = ImageGcConfigCodec.parse(text);
  const expected =
    'expected JSON such as {"image_disk_headroom": 0.1, "image_disk_watch_interval": {"nanoseconds": 3600000000000}}';
  if (!config.ok) return err(expected);
  const { image_disk_headroom: headroom, image_disk_watch_interval: interval } = config.value;
  if (!(headroom >= 0 && headroom <= 1)) return err(`image_disk_headroom: expected 0 to 1, got ${headroom}`);
  return interval.nanoseconds >= 1e9 ? config : err('image_disk_watch_interval: expected at least a second');
}
export const imageGcFlag = (options: { readonly help: string }) =>
  valueFlag(parseImageGc, ImageGcConfigCodec.write, options);
