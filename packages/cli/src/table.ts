// Tables with aligned columns.
import { escapeControls } from '@meseta/base';

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string | number | undefined;
  readonly align?: 'right';
}

/**
 * The lines of a table: titles in capitals, columns two spaces apart, no trailing spaces. Frameworks and agents choose some
 * of the values.
 */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = [
    columns.map((column) => column.title.toUpperCase()),
    ...rows.map((row) => columns.map((column) => escapeControls(String(column.value(row) ?? '-')))),
  ];
  const widths = columns.map((_, at) => cells.reduce((width, line) => Math.max(width, (line[at] ?? '').length), 0));
  return cells
    .map((line) =>
      line
        .map((cell, at) => {
          const width = widths[at] ?? 0;
          return columns[at]?.align === 'right' ? cell.padStart(width) : cell.padEnd(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `85 ms`, `2.4 s`, `3 min 5 s`, `4 h 10 min`, `3 d 2 h`. */
export function formatSpan(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const units: readonly (readonly [name: string, ms: number])[] = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1000],
  ];
  const first = units.findIndex(([, size]) => ms >= size);
  return units
    .slice(first, first + 2)
    .map(([name, size], at, two) => {
      const above = at === 0 ? Number.POSITIVE_INFINITY : (two[0]?.[1] ?? 1);
      return `${Math.floor((ms % above) / size)} ${name}`;
    })
    .join(' ');
}
