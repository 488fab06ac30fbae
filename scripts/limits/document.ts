// docs/limits.md from the table of limits.
import { LIMITS, type Limit } from '@meseta/base';

export const LIMITS_FILE = 'docs/limits.md';

const MIB = 2 ** 20;
const grouped = (value: number): string => value.toString().replace(/\B(?=(\d{3})+$)/g, ' ');

/** `64 MiB`, `100 000 items`. */
function amountOf({ most, unit }: Limit): string {
  if (unit === 'bytes' && most % MIB === 0) return `${most / MIB} MiB`;
  if (unit === 'bytes' && most % 1024 === 0) return `${most / 1024} KiB`;
  return `${grouped(most)} ${unit}`;
}

const flagsOf = ({ flags = [] }: Limit): string =>
  flags.length === 0 ? '' : ` (${flags.map((flag) => `\`${flag}\``).join(', ')})`;

export const limitsDocument = (): string => `# Limits

What a daemon takes from outside, in one request, message or connection. The table is made from
\`packages/base/src/limits.ts\` by \`node scripts/limits.mjs\`; the decoders apply the same table. A limit that is "Mesos'"
is there in Mesos too; the others are Meseta's own: far above what clusters use, and low enough that a peer at the limit
neither stops nor fills a daemon. Where Mesos has a flag it is named; the others have none: a cluster that meets one should
report it.

| what | most | beyond it | whose |
| --- | --- | --- | --- |
${Object.values(LIMITS)
  .map(
    (limit) =>
      `| ${limit.what}${flagsOf(limit)} | ${amountOf(limit)} | ${limit.beyond} | ${limit.source === 'Mesos' ? "Mesos'" : "Meseta's"} |`,
  )
  .join('\n')}

An error names the field, what was expected and what came: \`framework_info.roles: role "a/b...": expected at most 1024
characters, got 2000\`.
`;
