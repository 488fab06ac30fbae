// Scores as text: the terminal output, and docs/mutation-scores.md, which has one section per area.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../lib.mjs';
import { ACCEPTED_KINDS } from './accepted.mjs';
import { scoredAreas, sourcesOf } from './areas.mjs';

const document = join(root, 'docs/mutation-scores.md');

/** Counts, and the score: mutants that tests killed or that ran into a limit, relative to all mutants. */
export function scoreOf(mutants) {
  const count = (status) => mutants.filter((mutant) => mutant.status === status).length;
  const [killed, timeout, survived, noCoverage] = ['killed', 'timeout', 'survived', 'noCoverage'].map(count);
  const total = mutants.length;
  const missed = mutants.filter(({ status }) => status === 'survived' || status === 'noCoverage');
  const accepted = missed.filter((mutant) => mutant.accepted !== undefined).length;
  return scoreOfCounts({ total, killed, timeout, survived, noCoverage, accepted });
}

function scoreOfCounts({ total, killed, timeout, survived, noCoverage, accepted }) {
  const percent = total === 0 ? 100 : ((killed + timeout) / total) * 100;
  const percentOfRest = total === accepted ? 100 : ((killed + timeout) / (total - accepted)) * 100;
  const text = [
    `${percent.toFixed(1)} % of ${total} mutants`,
    `${killed} killed, ${timeout} timeouts, ${survived} survived, ${noCoverage} without coverage`,
    `${accepted} of the missed accepted: ${percentOfRest.toFixed(1)} % without them`,
  ].join('; ');
  return { total, killed, timeout, survived, noCoverage, accepted, percent, percentOfRest, text };
}

const shortened = (text) => {
  const flat = text.replace(/\s+/g, ' ');
  return flat.length > 70 ? `${flat.slice(0, 67)}...` : flat;
};

/** One line per mutant that survived and is not accepted. */
export function survivorsText(mutants) {
  return mutants
    .filter(({ status, accepted }) => (status === 'survived' || status === 'noCoverage') && accepted === undefined)
    .map(({ file, line, status, mutator, original, replacement }) =>
      [
        `${file}:${line}: ${status === 'survived' ? 'survived' : 'not covered'}: ${mutator}:`,
        `${shortened(original)}  ->  ${shortened(replacement)}`,
      ].join(' '),
    )
    .join('\n');
}

const cells = (...columns) => `| ${columns.join(' | ')} |`;
const columns = ['mutants', 'killed', 'timeouts', 'survived', 'no coverage', 'accepted', 'score', 'without accepted'];
const scoreCells = (score) => [
  score.population === undefined ? score.total : `${score.total} of ${score.population}`,
  score.killed,
  score.timeout,
  score.survived,
  score.noCoverage,
  score.accepted,
  `${score.percent.toFixed(1)} %`,
  `${score.percentOfRest.toFixed(1)} %`,
];

function groupBy(items, keyOf) {
  const groups = new Map();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

const asCode = (text) => `\`${shortened(text).replaceAll('`', "'").replaceAll('|', '\\|')}\``;

/** Rows of one file in an area's section: its counts, and its accepted survivors. */
function rowsOf(area, file, mutants, fileTotal) {
  const name = file.slice(area.source.length + 1);
  const isOfKind = (it) => ACCEPTED_KINDS.some(({ reason }) => reason === it.accepted);
  const accepted = mutants.filter((it) => (it.status === 'survived' || it.status === 'noCoverage') && it.accepted);
  const change = (it) => `${asCode(it.original)} → ${asCode(it.replacement)}`;
  return {
    name,
    score: { ...scoreOf(mutants), population: mutants.length < fileTotal ? fileTotal : undefined },
    accepted: [
      ...ACCEPTED_KINDS.map(({ reason }) => [accepted.filter((it) => it.accepted === reason).length, reason])
        .filter(([count]) => count > 0)
        .map(([count, reason]) => cells(name, `${count} mutants`, reason)),
      ...accepted.filter((it) => !isOfKind(it)).map((it) => cells(name, change(it), it.accepted)),
    ],
  };
}

/** The same rows, read from the document: files that are not measured in this run keep them. */
function rowsIn(text) {
  const files = [];
  for (const line of text.split('\n')) {
    const [, name, rest] = /^\| ([^|]+\.ts) \| (.*) \|$/.exec(line) ?? [];
    if (name === undefined) continue;
    const population = /^\d+ of (\d+) /.exec(rest)?.[1];
    const numbers = rest
      .replace(/^(\d+) of \d+ /, '$1 ')
      .split(' | ')
      .slice(0, 6)
      .map(Number);
    if (numbers.length < 6 || numbers.some(Number.isNaN)) {
      files.find((file) => file.name === name)?.accepted.push(line);
      continue;
    }
    const [total, killed, timeout, survived, noCoverage, accepted] = numbers;
    files.push({
      name,
      score: {
        ...scoreOfCounts({ total, killed, timeout, survived, noCoverage, accepted }),
        population: population && Number(population),
      },
      accepted: [],
    });
  }
  return files;
}

function sumOf(scores) {
  const sum = (field) => scores.reduce((so, score) => so + score[field], 0);
  const fields = ['total', 'killed', 'timeout', 'survived', 'noCoverage', 'accepted'];
  return scoreOfCounts(Object.fromEntries(fields.map((field) => [field, sum(field)])));
}

function section(area, mutants, { leftOut, isWhole, totals }, before) {
  const measured = [...groupBy(mutants, ({ file }) => file)].map(([file, own]) =>
    rowsOf(area, file, own, totals.get(file)),
  );
  const kept = rowsIn(before).filter((row) => !measured.some(({ name }) => name === row.name));
  const sources = sourcesOf(area).map((file) => file.slice(area.source.length + 1));
  const files = [...measured, ...kept]
    .filter(({ name }) => sources.includes(name))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
  // Files without mutants have no row, so a section that was complete stays so.
  const isComplete = isWhole || /^\| all \|/m.test(before) || files.length === sources.length;
  const lines = [
    `## ${area.name}`,
    '',
    cells('file', ...columns),
    cells('---', ...columns.map(() => '---:')),
    ...files.map(({ name, score }) => cells(name, ...scoreCells(score))),
    cells(
      isComplete ? 'all' : `${files.length} of ${sources.length} files`,
      ...scoreCells(sumOf(files.map(({ score }) => score))),
    ),
    '',
  ];
  if (leftOut.length > 0) {
    const titles = leftOut.map((id) => `"${id.slice(id.indexOf(' > ') + 3)}"`);
    lines.push(`A lower bound: judged without the slow tests ${titles.join(', ')}.`, '');
  }
  if (files.some(({ score }) => score.population !== undefined)) {
    lines.push('"N of M": a sample of N of the M mutants of the file was measured, chosen by a hash.', '');
  }
  const accepted = files.flatMap((file) => file.accepted);
  if (accepted.length > 0) {
    lines.push('Accepted survivors:', '', cells('file', 'mutant', 'why it stays'), cells('---', '---', '---'));
    lines.push(...accepted, '');
  }
  return lines.join('\n');
}

/** The document's current sections by area name. */
function sectionsNow() {
  if (!existsSync(document)) return new Map();
  const parts = readFileSync(document, 'utf8')
    .split(/^(?=## )/m)
    .slice(1);
  return new Map(parts.map((part) => [part.slice(3, part.indexOf('\n')), part.trimEnd().concat('\n')]));
}

const totalsIn = (text) => /^\| (?:all|\d+ of \d+ files) \|(.*)\|$/m.exec(text)?.[1]?.trim() ?? '';

/** Whether some files of an area were never measured, so that its score is not comparable. */
const isPartial = (text) => /^\| \d+ of \d+ files \|/m.test(text);

/** The scores in percent of the document's areas that were measured completely. */
export function scoresNow() {
  const percentOf = (text) => Number(/([\d.]+) % \|/.exec(totalsIn(text))?.[1] ?? 0);
  return new Map(
    [...sectionsNow()].filter(([, text]) => !isPartial(text)).map(([name, text]) => [name, percentOf(text)]),
  );
}

/**
 * Replaces the rows of the measured files and keeps all others. `leftOut`: the slow tests that did not run. `isWhole`: all
 * files of the area were measured, so a file without a row has no mutants.
 */
export function writeScores(area, mutants, { leftOut, isWhole, totals }) {
  if (!scoredAreas.some(({ name }) => name === area.name)) return;
  const sections = sectionsNow();
  const before = isWhole ? '' : (sections.get(area.name) ?? '');
  sections.set(area.name, section(area, mutants, { leftOut, isWhole, totals }, before));
  const known = scoredAreas.filter(({ name }) => sections.has(name));
  const areaRows = known.map(({ name }) =>
    cells(isPartial(sections.get(name)) ? `${name}, in part` : name, totalsIn(sections.get(name))),
  );
  const text = [
    '# Mutation scores',
    '',
    'How many small faults, put into the sources one at a time by',
    "[StrykerJS' instrumenter](https://stryker-mutator.io/docs/stryker-js/introduction/), the unit tests of a package see.",
    'Written by `node scripts/mutation-score.mjs AREA`, and for all areas by `node scripts/nightly-mutation.mjs`. The',
    'score is killed and timeouts (loops that no longer end) of all mutants; accepted survivors count as missed, but in the',
    'last column, which leaves them out. An area "in part" has files that were not measured yet.',
    '',
    cells('area', ...columns),
    cells('---', ...columns.map(() => '---:')),
    ...areaRows,
    '',
    ...known.map(({ name }) => sections.get(name)),
  ].join('\n');
  writeFileSync(document, text.trimEnd().concat('\n'));
}
