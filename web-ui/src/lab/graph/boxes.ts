// What is in a domain's box: a row for each capability, or one for many that are alike.

import type { Change, Changes } from "./changes";
import { HOST, kindOf, manyLabel, objectLabel, slotLabel, type Cap, type Model } from "./model";
import type { DomainSnapshot } from "./snapshot";

export interface BoxRow {
  key: string;
  /** One, or all that are alike. */
  caps: Cap[];
  /** The group that it is the head of, or a member of. */
  group?: string;
  head: boolean;
  slot: string;
  text: string;
  rights: string;
  change?: Change;
}

export interface Box {
  id: number;
  name: string;
  /** The domain's state in a word, its threads, its pages. */
  about: string;
  threads: string;
  ended: boolean;
  collapsed: boolean;
  rows: BoxRow[];
  count: number;
  /** The objects that it holds, if its rows are not shown. */
  folded: string[];
}

/** What is unfolded and what is folded. */
export interface Folds {
  collapsed: ReadonlySet<number>;
  /** Groups that show their members. */
  opened: ReadonlySet<string>;
}

/** From so many on, capabilities that are alike share a row. */
export const ALIKE = 6;
/** liblcd keeps its own memory in slots from here on. */
const LIBRARY = 0x300000;

/** What is equal for capabilities that are alike. */
export function groupKey(cap: Cap): string {
  const from = cap.from?.split(":")[0] ?? "";
  const library = cap.slot >= LIBRARY ? "lib" : "";
  return `${cap.home}/${cap.thread ?? ""}/${kindOf(cap.object)}/${cap.rights}/${from}/${library}/${cap.badge ? "b" : ""}`;
}

export function grouped<K, T>(items: T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

/** The object, `#` its badge, `@` the page where it is mapped. */
export function capText(cap: Cap, model: Model): string {
  const badge = cap.badge ? ` #${cap.badge.toString(16)}` : "";
  const mapped = cap.mapped ? ` @${cap.mapped.page.toString(16)}` : "";
  return `${objectLabel(cap.object, model.names)}${badge}${mapped}`;
}

const rowOf = (cap: Cap, model: Model, change: Change | undefined): BoxRow => ({
  key: cap.key,
  caps: [cap],
  head: false,
  slot: slotLabel(cap),
  text: capText(cap, model),
  rights: cap.rights,
  change,
});

function headOf(group: string, caps: Cap[], changes: Map<string, Change>): BoxRow {
  const [first] = caps as [Cap, ...Cap[]];
  const found = new Set(caps.flatMap((cap) => changes.get(cap.key) ?? []));
  const change = found.size === 0 ? undefined : found.has("added") ? "added" : [...found][0];
  return {
    key: `g${group}`,
    caps, group,
    head: true,
    slot: `${slotLabel(first)}…`,
    text: manyLabel(kindOf(first.object), caps.length),
    rights: first.rights,
    change,
  };
}

/** The rows of a box; capabilities that have just gone are shown once more. */
function rowsOf(caps: Cap[], model: Model, changes: Map<string, Change>, opened: ReadonlySet<string>): BoxRow[] {
  const groups = grouped(caps, groupKey);
  const rows: BoxRow[] = [];
  const done = new Set<string>();
  for (const cap of caps) {
    const group = groupKey(cap);
    const alike = groups.get(group) ?? [cap];
    if (alike.length < ALIKE) {
      rows.push(rowOf(cap, model, changes.get(cap.key)));
    } else if (!done.has(group)) {
      done.add(group);
      rows.push(headOf(group, alike, changes));
      if (opened.has(group))
        for (const member of alike) rows.push({ ...rowOf(member, model, changes.get(member.key)), group });
    }
  }
  return rows;
}

function aboutDomain(domain: DomainSnapshot): string {
  const boot = domain.memory.reduce((sum, range) => sum + (range.boot ? Number(range.pages) : 0), 0);
  const state = domain.state === "ended" ? "all threads ended" : domain.state;
  return `${state}${boot ? `, built of ${boot} pages` : ""}`;
}

function aboutThreads({ threads }: DomainSnapshot): string {
  const live = threads.filter(({ state }) => state !== "ended");
  if (live.length === 0) return threads.length ? "" : "no thread";
  if (live.length > 3) return `${live.length} threads, ${live.filter(({ state }) => state === "waiting").length} waiting`;
  return live
    .map(({ id, state, call, fault }) => {
      if (state === "waiting") return `t${id} waits${call ? ` in ${call}` : fault ? ": fault" : ""}`;
      return `t${id} ${state === "created" ? "not started" : state}`;
    })
    .join(", ");
}

/** The boxes, in the order of domains. One that is gone and holds nothing has none. */
export function boxesOf(model: Model, changes: Changes, folds: Folds): Box[] {
  const marks = new Map(changes.list.map(({ change, cap }) => [cap.key, change]));
  const ghosts = changes.list.flatMap(({ change, cap }) =>
    change === "removed" && !model.byKey.has(cap.key) ? [cap] : []);
  const shown = ghosts.length ? [...model.caps, ...ghosts].sort(inPlace) : model.caps;
  const homes = grouped(shown, (cap) => cap.home);
  const boxes: Box[] = [];
  const box = (id: number, name: string, about: string, threads: string, ended: boolean) => {
    const caps = homes.get(id) ?? [];
    const collapsed = folds.collapsed.has(id);
    const rows = collapsed ? [] : rowsOf(caps, model, marks, folds.opened);
    const folded = collapsed ? [...new Set(caps.map((cap) => cap.objectKey))] : [];
    boxes.push({ id, name, about, threads, ended, collapsed, rows, count: caps.length, folded });
  };
  if (homes.has(HOST)) box(HOST, "host", "the microkernel's own", "", false);
  for (const domain of model.domains) {
    const gone = domain.state === "destroyed";
    if (gone && !homes.has(domain.id)) continue;
    box(domain.id, model.names.domain(domain.id), aboutDomain(domain), aboutThreads(domain), gone || domain.state === "ended");
  }
  return boxes;
}

export const inPlace = (a: Cap, b: Cap): number =>
  a.home - b.home || (a.thread ?? -1) - (b.thread ?? -1) || a.slot - b.slot;
