/**
 * Grouping, where `Map.groupBy` is not there yet (Node 20, Vercel Edge).
 *
 * @module
 */

/** The items by what a function gives for each, in their order. */
export function groupBy<T, K>(items: Iterable<T>, key: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const its = key(item);
    const group = groups.get(its);
    if (group === undefined) groups.set(its, [item]);
    else group.push(item);
  }
  return groups;
}
