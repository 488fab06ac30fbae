// Scores as text: what the terminal shows, and docs/mutation-scores.md, which keeps one section for each area.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../lib.mjs';
import { ACCEPTED_KINDS } from './accepted.mjs';
import { scoredAreas } from './areas.mjs';

const document = join(root, 'docs/mutation-scores.md');

/** Counts and the score: what tests killed or what ran into a limit, of all mutants. */
export function scoreOf(mutants) {
  const count = (status) => mutants.filter((mutant) => mutant.status === status).length;
  const [killed, timeout, survived, noCoverage] = ['killed', 'timeout', 'survived', 'noCoverage'].map(count);
  const total = mutants.length;
  const missed = mutants.filter(({ status }) => status === 'survived' || status === 'noCoverage');
  const accepted = missed.filter((mutant) => mutant.accepted !== undefined).length;
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

/** A line for each mutant that no test saw and nobody accepted. */
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
  score.total,
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

function section(area, mutants, leftOut) {
  const files = [...groupBy(mutants, ({ file }) => file)].sort(([a], [b]) => (a < b ? -1 : 1));
  const accepted = mutants.filter((it) => (it.status === 'survived' || it.status === 'noCoverage') && it.accepted);
  const lines = [
    `## ${area.name}`,
    '',
    cells('file', ...columns),
    cells('---', ...columns.map(() => '---:')),
    ...files.map(([file, own]) => cells(file.slice(area.source.length + 1), ...scoreCells(scoreOf(own)))),
    cells('all', ...scoreCells(scoreOf(mutants))),
    '',
  ];
  if (leftOut.length > 0) {
    const titles = leftOut.map((id) => `"${id.slice(id.indexOf(' > ') + 3)}"`);
    lines.push(`A lower bound: judged without the slow tests ${titles.join(', ')}.`, '');
  }
  if (accepted.length > 0) {
    const isOfKind = (it) => ACCEPTED_KINDS.some(({ reason }) => reason === it.accepted);
    lines.push('Accepted survivors:', '', cells('file', 'mutant', 'why it stays'), cells('---', '---', '---'));
    for (const { reason } of ACCEPTED_KINDS) {
      const count = accepted.filter((it) => it.accepted === reason).length;
      if (count > 0) lines.push(cells('', `${count} mutants`, reason));
    }
    for (const it of accepted.filter((one) => !isOfKind(one))) {
      const change = `${asCode(it.original)} → ${asCode(it.replacement)}`;
      lines.push(cells(it.file.slice(area.source.length + 1), change, it.accepted));
    }
    lines.push('');
  }
  return lines.join('\n');
}

/** The sections that the document has now, by the names of their areas. */
function sectionsNow() {
  if (!existsSync(document)) return new Map();
  const parts = readFileSync(document, 'utf8')
    .split(/^(?=## )/m)
    .slice(1);
  return new Map(parts.map((part) => [part.slice(3, part.indexOf('\n')), part.trimEnd().concat('\n')]));
}

const totalsIn = (text) => /^\| all \|(.*)\|$/m.exec(text)?.[1]?.trim() ?? '';

/** The score of each area in the document, in percent. */
export function scoresNow() {
  const percentOf = (text) => Number(/([\d.]+) % \|/.exec(totalsIn(text))?.[1] ?? 0);
  return new Map([...sectionsNow()].map(([name, text]) => [name, percentOf(text)]));
}

/** Replaces one area's section; the others and their rows in the summary stay. */
export function writeScores(area, mutants, leftOut) {
  if (!scoredAreas.some(({ name }) => name === area.name)) return;
  const sections = sectionsNow().set(area.name, section(area, mutants, leftOut));
  const known = scoredAreas.filter(({ name }) => sections.has(name));
  const totals = known.map(({ name }) => cells(name, totalsIn(sections.get(name))));
  const text = [
    '# Mutation scores',
    '',
    'How many small faults, put into the sources one at a time by',
    "[StrykerJS' instrumenter](https://stryker-mutator.io/docs/stryker-js/introduction/), the unit tests of a package see.",
    'Written by `node scripts/mutation-score.mjs AREA`, and for all areas by `node scripts/nightly-mutation.mjs`. The',
    'score is killed and timeouts (loops that no longer end) of all mutants; accepted survivors count as missed, but in the',
    'last column, which leaves them out.',
    '',
    cells('area', ...columns),
    cells('---', ...columns.map(() => '---:')),
    ...totals,
    '',
    ...known.map(({ name }) => sections.get(name)),
  ].join('\n');
  writeFileSync(document, text.trimEnd().concat('\n'));
}
