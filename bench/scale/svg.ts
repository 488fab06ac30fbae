// Plots as SVG documents: line plots, and bar plots in groups with whiskers; each with axes, title and legend. Colours follow
// the reader's colour scheme, light or dark.

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Axis {
  readonly label: string;
  readonly scale: 'linear' | 'logarithmic';
}

export interface LinePlot {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  /** Whether each point is marked, for plots with few points. */
  readonly marks: boolean;
}

export interface BarPlot {
  readonly title: string;
  readonly y: string;
  /** Drawn as a horizontal line at this value. */
  readonly reference?: number;
  readonly groups: readonly string[];
  readonly series: readonly BarSeries[];
}

export interface BarSeries {
  readonly name: string;
  readonly values: readonly number[];
  /** The lowest and highest of the measurements that each value is the mean of, drawn as a whisker. */
  readonly ranges?: readonly (readonly [low: number, high: number])[];
}

const WIDTH = 760;
const HEIGHT = 400;
const FRAME = { left: 76, right: 740, top: 70, bottom: 340 };

/** Colours that differ in brightness too, with enough contrast on both backgrounds. */
const STYLE = `
  svg { --background: #ffffff; background: var(--background); color: #1f2328; font: 13px system-ui, sans-serif; }
  text { fill: currentColor; }
  .title { font-size: 16px; font-weight: 600; }
  .value { paint-order: stroke; stroke: var(--background); stroke-width: 4px; }
  .grid { stroke: #d1d9e0; stroke-width: 1; }
  .axis { stroke: currentColor; stroke-width: 1; }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
  .c0 { --c: #0550ae; } .c1 { --c: #cf222e; } .c2 { --c: #1a7f37; } .c3 { --c: #9a6700; } .c4 { --c: #8250df; }
  .line { stroke: var(--c); } .fill { fill: var(--c); }
  @media (prefers-color-scheme: dark) {
    svg { --background: #0d1117; color: #e6edf3; }
    .grid { stroke: #30363d; }
    .c0 { --c: #79c0ff; } .c1 { --c: #ff7b72; } .c2 { --c: #56d364; } .c3 { --c: #e3b341; } .c4 { --c: #d2a8ff; }
  }`;
const COLOURS = 5;

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const at = (value: number): string => String(Math.round(value * 10) / 10);
const colour = (index: number): string => `c${index % COLOURS}`;

type Anchor = 'start' | 'middle' | 'end';
const label = (x: number, y: number, anchor: Anchor, text: string, more = ''): string =>
  `<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}"${more}>${escaped(text)}</text>`;
const line = (kind: string, x1: number, y1: number, x2: number, y2: number): string =>
  `<line class="${kind}" x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}"/>`;

/** About `count` round numbers (1, 2 or 5 times a power of ten) that span the range from 0. */
export function linearTicks(highest: number, count: number): readonly number[] {
  if (!(highest > 0)) return [0, 1];
  const rough = highest / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  const ticks = Array.from({ length: Math.ceil(highest / step - 1e-9) + 1 }, (_, i) => i * step);
  return ticks.map((tick) => Number(tick.toPrecision(12)));
}

/** Powers of ten that span the range. */
export function logarithmicTicks(lowest: number, highest: number): readonly number[] {
  const first = Math.floor(Math.log10(lowest) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(highest) - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, i) => Number((10 ** (first + i)).toPrecision(12)));
}

interface Scale {
  readonly ticks: readonly number[];
  place(value: number): number;
}

function scaleOf({ scale }: Axis, values: readonly number[], from: number, to: number): Scale {
  const positive = values.filter((value) => value > 0);
  const highest = positive.reduce((most, value) => Math.max(most, value), 0);
  if (scale === 'linear') {
    const ticks = linearTicks(highest, 6);
    const last = ticks.at(-1) as number;
    return { ticks, place: (value) => from + ((to - from) * value) / last };
  }
  const ticks = logarithmicTicks(
    positive.reduce((least, value) => Math.min(least, value), highest),
    highest,
  );
  const [low, high] = [Math.log10(ticks[0] as number), Math.log10(ticks.at(-1) as number)];
  const lowest = ticks[0] as number;
  return {
    ticks,
    place: (value) => from + ((to - from) * (Math.log10(Math.max(value, lowest)) - low)) / (high - low),
  };
}

const shown = (tick: number): string =>
  tick >= 10_000 ? `${(tick / 1000).toLocaleString('en')}k` : tick.toLocaleString('en', { maximumFractionDigits: 6 });

function legend(names: readonly string[]): string {
  let x = FRAME.left;
  return names
    .map((name, index) => {
      const entry = `<rect class="fill ${colour(index)}" x="${at(x)}" y="44" width="12" height="12"/>${label(x + 17, 55, 'start', name)}`;
      x += 40 + 7.2 * name.length;
      return entry;
    })
    .join('\n');
}

function document(title: string, names: readonly string[], body: readonly string[]): string {
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${escaped(title).replaceAll('"', '&quot;')}">`;
  const style = `<style>${STYLE}\n</style>`;
  const caption = label(FRAME.left, 28, 'start', title, ' class="title"');
  return [head, style, caption, legend(names), ...body, '</svg>', ''].join('\n');
}

function verticalAxis(name: string, scale: Scale): readonly string[] {
  const middle = (FRAME.top + FRAME.bottom) / 2;
  return [
    ...scale.ticks.flatMap((tick) => [
      line('grid', FRAME.left, scale.place(tick), FRAME.right, scale.place(tick)),
      label(FRAME.left - 8, scale.place(tick) + 4, 'end', shown(tick)),
    ]),
    line('axis', FRAME.left, FRAME.top, FRAME.left, FRAME.bottom),
    label(18, middle, 'middle', name, ` transform="rotate(-90 18 ${middle})"`),
  ];
}

export function linePlot({ title, x, y, series, marks }: LinePlot): string {
  const points = series.flatMap((it) => it.points);
  const across = scaleOf(
    x,
    points.map(([value]) => value),
    FRAME.left,
    FRAME.right,
  );
  const up = scaleOf(
    y,
    points.map(([, value]) => value),
    FRAME.bottom,
    FRAME.top,
  );
  const body = [
    ...verticalAxis(y.label, up),
    line('axis', FRAME.left, FRAME.bottom, FRAME.right, FRAME.bottom),
    ...across.ticks.flatMap((tick) => [
      line('axis', across.place(tick), FRAME.bottom, across.place(tick), FRAME.bottom + 5),
      label(across.place(tick), FRAME.bottom + 20, 'middle', shown(tick)),
    ]),
    label((FRAME.left + FRAME.right) / 2, FRAME.bottom + 44, 'middle', x.label),
    ...series.map(({ points: own }, index) => {
      const path = own.map(([a, b]) => `${at(across.place(a))},${at(up.place(b))}`).join(' ');
      return `<polyline class="line ${colour(index)}" points="${path}"/>`;
    }),
    ...(marks ? series : []).flatMap(({ points: own }, index) =>
      own.map(
        ([a, b]) => `<circle class="fill ${colour(index)}" cx="${at(across.place(a))}" cy="${at(up.place(b))}" r="4"/>`,
      ),
    ),
  ];
  return document(
    title,
    series.map(({ name }) => name),
    body,
  );
}

const whisker = (x: number, low: number, high: number): readonly string[] => [
  line('axis', x, low, x, high),
  line('axis', x - 6, low, x + 6, low),
  line('axis', x - 6, high, x + 6, high),
];

export function barPlot({ title, y, reference, groups, series }: BarPlot): string {
  const values = series.flatMap((it) => [...it.values, ...(it.ranges ?? []).flat()]);
  const up = scaleOf({ label: y, scale: 'linear' }, [...values, reference ?? 0], FRAME.bottom, FRAME.top);
  const groupWidth = (FRAME.right - FRAME.left) / groups.length;
  const width = (0.7 * groupWidth) / series.length;
  const leftOf = (group: number): number => FRAME.left + groupWidth * (group + 0.15);
  const places = series.flatMap(({ values: own, ranges }, index) =>
    groups.map((_, group) => {
      const value = own[group] ?? 0;
      const [low, high] = ranges?.[group] ?? [value, value];
      return { index, value, low, high, x: leftOf(group) + width * index };
    }),
  );
  const body = [
    ...verticalAxis(y, up),
    ...places.map(({ index, value, x }) => {
      const top = up.place(value);
      return `<rect class="fill ${colour(index)}" x="${at(x + 2)}" y="${at(top)}" width="${at(width - 4)}" height="${at(FRAME.bottom - top)}"/>`;
    }),
    line('axis', FRAME.left, FRAME.bottom, FRAME.right, FRAME.bottom),
    ...(reference === undefined
      ? []
      : [line('axis', FRAME.left, up.place(reference), FRAME.right, up.place(reference))]),
    ...places.flatMap(({ low, high, x }) => (low < high ? whisker(x + width / 2, up.place(low), up.place(high)) : [])),
    ...places.map(({ value, high, x }) =>
      label(x + width / 2, up.place(high) - 6, 'middle', shown(value), ' class="value"'),
    ),
    ...groups.map((group, index) => label(leftOf(index) + 0.35 * groupWidth, FRAME.bottom + 20, 'middle', group)),
  ];
  return document(
    title,
    series.map(({ name }) => name),
    body,
  );
}
