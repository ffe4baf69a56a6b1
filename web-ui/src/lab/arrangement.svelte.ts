// Which views are open, and in which column each is.

export const VIEWS = [
  { key: "code", title: "Instructions", columns: [0, 0, 0] },
  { key: "stops", title: "Breakpoints", columns: [0, 0, 0] },
  { key: "registers", title: "Registers", columns: [0, 1, 1] },
  { key: "memory", title: "Memory", columns: [0, 1, 2] },
  { key: "walk", title: "Address walk", columns: [0, 1, 2] },
  { key: "utcb", title: "UTCB", columns: [0, 1, 1] },
  { key: "threads", title: "Threads", columns: [1, 2, 1] },
  { key: "refusal", title: "Refusals", columns: [1, 0, 3] },
  { key: "graph", title: "Capabilities", columns: [1, 2, 3] },
  { key: "tree", title: "Capability tree", columns: [1, 2, 3] },
  { key: "objects", title: "Endpoints", columns: [1, 2, 1] },
  { key: "log", title: "Events", columns: [1, 2, 3] },
  { key: "console", title: "Console", columns: [1, 0, 2] },
  { key: "moment", title: "This moment", columns: [1, 0, 1] },
  { key: "edit", title: "Edit", columns: [0, 1, 1] },
] as const;

export type ViewKey = (typeof VIEWS)[number]["key"];

const USUAL: ViewKey[] = ["code", "registers", "memory", "refusal", "graph", "log", "console"];

/** On a very large screen there is room for more. */
const usual = (): ViewKey[] =>
  typeof innerWidth === "number" && innerWidth >= 2300
    ? [...USUAL, "threads", "utcb", "walk", "stops", "objects", "moment"]
    : USUAL;

export const isView = (key: unknown): key is ViewKey => VIEWS.some((view) => view.key === key);

export class Arrangement {
  open: ViewKey[] = $state([]);
  /** The one that is shown where there is room for one. */
  front: ViewKey = $state("code");
  #key: string | undefined;

  /** With a key, what is open is kept in this browser. */
  constructor(open: ViewKey[] = usual(), key?: string) {
    this.#key = key;
    this.open = this.#kept() ?? open;
    this.front = this.open[0] ?? "code";
  }

  #kept(): ViewKey[] | undefined {
    try {
      const kept: unknown = JSON.parse((this.#key && localStorage.getItem(this.#key)) || "null");
      return Array.isArray(kept) ? kept.filter(isView) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Opens views, and no others. */
  set(open: ViewKey[]): void {
    this.open = open;
    if (!open.includes(this.front)) this.front = open[0] ?? "code";
    if (!this.#key) return;
    try {
      localStorage.setItem(this.#key, JSON.stringify(open));
    } catch {
      // Without storage it is arranged anew each time.
    }
  }

  toggle(key: ViewKey): void {
    const open = this.open.includes(key) ? this.open.filter((other) => other !== key) : [...this.open, key];
    this.set(open);
    if (this.open.includes(key)) this.front = key;
  }

  /** Makes sure that a view is seen. */
  show(key: ViewKey): void {
    if (!this.open.includes(key)) this.set([...this.open, key]);
    this.front = key;
  }

  usual(): void {
    this.set(usual());
  }

  /** The open views of each of so many columns, without those in which nothing is to be seen. Empty
   * columns are left out. */
  columns(count: number, without: ViewKey[] = []): ViewKey[][] {
    const open = VIEWS.filter(({ key }) => this.open.includes(key) && !without.includes(key));
    if (count <= 1) return [open.map(({ key }) => key)];
    const which = Math.min(count, 4) - 2;
    const columns: ViewKey[][] = Array.from({ length: count }, () => []);
    for (const { key, columns: at } of open) columns[at[which]!]!.push(key);
    return columns.filter((column) => column.length);
  }
}
