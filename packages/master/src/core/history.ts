// Histories: sets that keep the newest items, oldest first.

/** Adds an item and removes the oldest ones beyond `limit`. An item that the history has keeps its place. */
export function addToHistory<Item>(history: Set<Item>, item: Item, limit: number): void {
  if (limit === 0) return;
  history.add(item);
  for (const oldest of history) {
    if (history.size <= limit) return;
    history.delete(oldest);
  }
}
