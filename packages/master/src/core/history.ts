// Histories: sets that keep their newest items, oldest first.

/** Adds an item and drops the oldest beyond `limit`. An item that is there already keeps its place. */
export function addToHistory<Item>(history: Set<Item>, item: Item, limit: number): void {
  if (limit === 0) return;
  history.add(item);
  for (const oldest of history) {
    if (history.size <= limit) return;
    history.delete(oldest);
  }
}
