// The areas that are mutated, each with the unit tests that must kill its mutants: a package, or the core of a daemon.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { globSync } from '../glob.mjs';
import { root } from '../lib.mjs';

const cores = ['master', 'agent'].map((daemon) => {
  const source = `packages/${daemon}/src/core`;
  return { name: `${daemon}/core`, source, tests: [source] };
});

/** The files of base that check input from outside. The test of docs/limits.md covers the limits too. */
const base = {
  ...packageArea('base'),
  tests: ['packages/base/src', 'scripts/limits'],
  files: ['byte-size', 'duration', 'limits', 'names', 'pid'].map((name) => `packages/base/src/${name}.ts`),
};

/** The areas of docs/mutation-scores.md, in its order. `files`: only these sources. */
export const scoredAreas = [
  base,
  ...['resources', 'allocator', 'wire', 'security', 'coordination'].map(packageArea),
  ...cores,
];

function packageArea(name) {
  return { name, source: `packages/${name}/src`, tests: [`packages/${name}/src`] };
}

function areaOf(path) {
  const scored = scoredAreas.find(({ source }) => path === source || path.startsWith(`${source}/`));
  if (scored) return scored;
  const name = /^packages\/([^/]+)/.exec(path)?.[1];
  return name && existsSync(join(root, 'packages', name, 'src')) ? packageArea(name) : undefined;
}

const isTestSupport = (path) => /\.test\.ts$|\.d\.ts$|\/testing(\/|\.ts$)/.test(path);

/** The source files of an area that are mutated. */
export function sourcesOf(area) {
  return area.files ?? globSync([area.source], '.ts').filter((path) => !isTestSupport(path));
}

export function testsOf(area) {
  return globSync(area.tests, '.test.ts');
}

/** Splits paths (files, folders, packages or names of areas) into work: each area with the files to mutate in it. */
export function workFor(paths) {
  const work = new Map();
  for (const given of paths) {
    const path = given.replace(/^\.\//, '').replace(/\/$/, '');
    const area = scoredAreas.find(({ name }) => name === path) ?? areaOf(path);
    if (area === undefined) throw new Error(`${given}: neither an area nor a path below packages/NAME`);
    const whole = path === area.name || area.source === path || area.source.startsWith(`${path}/`);
    if (!whole && !existsSync(join(root, path))) throw new Error(`${given}: no such file or folder`);
    const isFile = !whole && statSync(join(root, path)).isFile();
    const files = sourcesOf(area).filter((file) => whole || (isFile ? file === path : file.startsWith(`${path}/`)));
    if (files.length === 0) throw new Error(`${given}: no source file to mutate there`);
    const entry = work.get(area.name) ?? { area, files: new Set(), whole: false };
    for (const file of files) entry.files.add(file);
    entry.whole ||= whole;
    work.set(area.name, entry);
  }
  return [...work.values()].map((entry) => ({ ...entry, files: [...entry.files].sort() }));
}
