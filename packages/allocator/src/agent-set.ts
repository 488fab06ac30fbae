// A set of agents: one bit for each agent index.
export interface AgentSet {
  words: Uint32Array;
  size: number;
}

export const createAgentSet = (): AgentSet => ({ words: new Uint32Array(0), size: 0 });

export function addAgentTo(set: AgentSet, index: number): void {
  const word = index >>> 5;
  if (word >= set.words.length) {
    const words = new Uint32Array(Math.max(8, (word + 1) * 2));
    words.set(set.words);
    set.words = words;
  }
  const bit = 1 << (index & 31);
  if ((set.words[word] as number) & bit) return;
  set.words[word] = (set.words[word] as number) | bit;
  set.size++;
}

export const hasAgent = (set: AgentSet, index: number): boolean =>
  ((set.words[index >>> 5] ?? 0) & (1 << (index & 31))) !== 0;

export function removeAgentFrom(set: AgentSet, index: number): void {
  if (!hasAgent(set, index)) return;
  set.words[index >>> 5] = (set.words[index >>> 5] as number) & ~(1 << (index & 31));
  set.size--;
}

/** Visits a copy of the members from the word at the fraction `start` in [0, 1) on, until `visit` returns false. */
export function visitAgents(set: AgentSet, start: number, visit: (index: number) => boolean): void {
  const words = set.words.slice();
  const first = Math.floor(start * words.length);
  for (let i = 0; i < words.length; i++) {
    const at = (first + i) % words.length;
    let word = words[at] as number;
    while (word !== 0) {
      const bit = 31 - Math.clz32(word);
      word &= ~(1 << bit);
      if (!visit(at * 32 + bit)) return;
    }
  }
}
