// The table of the compliance suites of elections and logs, from the output of a test run.

export const SUITES_FILE = 'docs/coordination-suites.md';

export const STORES = ['memory', 'LMDB', 'ZooKeeper', 'etcd'] as const;
export type Store = (typeof STORES)[number];

/** The result of a rule with a store. */
export type Outcome = 'passed' | 'failed' | 'skipped';

export interface Rule {
  /** `election`, `log, over a network` */
  readonly suite: string;
  readonly title: string;
  readonly outcomes: ReadonlyMap<Store, Outcome>;
}

const SUITE = new RegExp(`^(election|log) (${STORES.join('|')})(, .*)?$`);

/** The rules in the order of the run, from its output in TAP. */
export function rulesOf(tap: string): readonly Rule[] {
  const rules = new Map<string, Rule & { readonly outcomes: Map<Store, Outcome> }>();
  let nested: (readonly [title: string, outcome: Outcome])[] = [];
  for (const line of tap.split('\n')) {
    const [, indent, not, name = '', directive] = /^( *)(not )?ok \d+ - (.*?)(?: # (SKIP|TODO).*)?$/.exec(line) ?? [];
    if (indent === undefined) continue;
    // The runner escapes number signs and backslashes.
    const title = name.replace(/\\([#\\])/g, '$1');
    if (indent !== '') {
      nested.push([title, directive === 'SKIP' ? 'skipped' : not === undefined ? 'passed' : 'failed']);
      continue;
    }
    const [, kind, store, part = ''] = SUITE.exec(title) ?? [];
    for (const [ruleTitle, outcome] of kind === undefined ? [] : nested) {
      const suite = `${kind}${part}`;
      const key = `${suite}: ${ruleTitle}`;
      const rule = rules.get(key) ?? { suite, title: ruleTitle, outcomes: new Map() };
      rule.outcomes.set(store as Store, outcome);
      rules.set(key, rule);
    }
    nested = [];
  }
  return [...rules.values()];
}

/** `servers` says what each store was. */
export function suitesDocument(rules: readonly Rule[], servers: Readonly<Record<Store, string>>): string {
  const suites = [...new Set(rules.map(({ suite }) => suite))];
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const table = (suite: string): string =>
    [
      `## ${suite}\n`,
      row(['rule', ...STORES]),
      row(['rule', ...STORES].map(() => '---')),
      ...rules
        .filter((rule) => rule.suite === suite)
        .map(({ title, outcomes }) => row([title, ...STORES.map((store) => outcomes.get(store) ?? '')])),
    ].join('\n');
  return `# The compliance suites of elections and logs

Each store that elects a leader and keeps the registry passes the same tests, which are in
\`packages/coordination/src/testing/election-suite.ts\` and \`packages/coordination/src/testing/log-suite.ts\`. This page is the
result of a run, written by \`node scripts/coordination-suites.mjs\`; a test fails when a rule of the suites is missing here. A cell
is empty where a rule needs several processes at one store, which memory and LMDB do not have.

${row(['store', 'what it was in this run'])}
| --- | --- |
${STORES.map((store) => row([store, servers[store]])).join('\n')}

${suites.map(table).join('\n\n')}
`;
}
