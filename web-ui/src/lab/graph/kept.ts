// What is drawn again is the same object as before, so that only what changed is drawn anew.

const same = (a: unknown, b: unknown): boolean => {
  if (a === b) return true;
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
  return a.every((item, i) => {
    const other = b[i] as unknown;
    return item === other || (isCap(item) && isCap(other) && item.key === other.key && item.objectKey === other.objectKey);
  });
};

const isCap = (value: unknown): value is { key: string; objectKey: string } =>
  typeof value === "object" && value !== null && "objectKey" in value && "key" in value;

export class Kept<T extends { key: string }> {
  #last = new Map<string, T>();

  /** The items, where they are as last time those of last time. */
  keep(items: T[]): T[] {
    const next = new Map<string, T>();
    const kept = items.map((item) => {
      const old = this.#last.get(item.key);
      const keys = Object.keys(item) as (keyof T)[];
      const use = old && keys.every((key) => same(old[key], item[key])) ? old : item;
      next.set(item.key, use);
      return use;
    });
    this.#last = next;
    return kept;
  }
}

/** The last set, if it has the same members. */
export function keptSet(last: ReadonlySet<string>, next: ReadonlySet<string>): ReadonlySet<string> {
  return last.size === next.size && [...next].every((item) => last.has(item)) ? last : next;
}
