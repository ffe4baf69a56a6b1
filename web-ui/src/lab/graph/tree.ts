// The graph as a tree, in two orders: by domain and slot, or by derivation.

import { slotName, spaceName } from "../../log/words";
import { ALIKE, capText, grouped, groupKey, inPlace } from "./boxes";
import type { Change, Changes } from "./changes";
import { HOST, kindOf, manyLabel, type Cap, type Model } from "./model";

export type Order = "domain" | "derivation";

export interface TreeNode {
  id: string;
  label: string;
  /** Rights, state. */
  detail: string;
  cap?: Cap;
  change?: Change;
  /** Whether its children are shown before anybody has opened or closed it. */
  open: boolean;
  children: TreeNode[];
}

export interface Item {
  node: TreeNode;
  level: number;
  place: number;
  siblings: number;
  expanded: boolean | undefined;
  parent: string | undefined;
}

export function treeOf(model: Model, changes: Changes, order: Order): TreeNode[] {
  const marks = new Map(changes.list.map(({ cap, change }) => [cap.key, change]));
  const gone = changes.list.filter(({ change, cap }) => change === "removed" && !model.byKey.has(cap.key)).map(({ cap }) => cap);
  return order === "domain" ? byDomain(model, marks, gone) : byDerivation(model, marks);
}

function byDomain(model: Model, marks: Map<string, Change>, gone: Cap[]): TreeNode[] {
  const homes = grouped(gone.length ? [...model.caps, ...gone].sort(inPlace) : model.caps, (cap) => cap.home);
  const leaf = (cap: Cap): TreeNode => ({
    id: cap.key,
    label: `${slotName(cap.slot)}: ${capText(cap, model)}`,
    detail: cap.rights,
    cap,
    change: marks.get(cap.key),
    open: false,
    children: [],
  });
  const space = (id: number, label: string, detail: string): TreeNode[] => {
    const caps = homes.get(id) ?? [];
    const own = caps.filter((cap) => cap.thread === undefined);
    const threads = grouped(caps.filter((cap) => cap.thread !== undefined), (cap) => cap.thread!);
    const children = [
      ...alike(own.map(leaf)),
      ...[...threads].map(([thread, held]): TreeNode => ({
        id: `thread ${thread}`,
        label: `thread ${thread}'s own`,
        detail: "",
        open: true,
        children: held.map(leaf),
      })),
    ];
    return [{ id: `domain ${id}`, label, detail, open: true, children }];
  };
  const known = model.domains.filter(({ id, state }) => state !== "destroyed" || homes.has(id));
  return [
    ...(homes.has(HOST) ? space(HOST, "host", "the microkernel's own") : []),
    ...known.flatMap(({ id, state }) => space(id, model.names.domain(id), state)),
  ];
}

function byDerivation(model: Model, marks: Map<string, Change>): TreeNode[] {
  const seen = new Set<string>();
  const node = (cap: Cap): TreeNode => {
    seen.add(cap.key);
    const below = (model.children.get(cap.key) ?? []).filter(({ key }) => !seen.has(key));
    const home = spaceName(cap.space, model.names);
    return {
      id: cap.key,
      label: `${capText(cap, model)}: ${slotName(cap.slot)} of ${home}`,
      detail: cap.rights,
      cap,
      change: marks.get(cap.key),
      open: true,
      children: alike(below.map(node)),
    };
  };
  const roots = model.caps.filter((cap) => cap.from === undefined || !model.byKey.has(cap.from));
  return alike(roots.map(node));
}

/** Brothers and sisters that are alike and have nothing below them, under one node. */
function alike(nodes: TreeNode[]): TreeNode[] {
  const groups = grouped(nodes, ({ cap, children }) => (cap && children.length === 0 ? groupKey(cap) : undefined));
  const done = new Set<string>();
  return nodes.flatMap((node): TreeNode[] => {
    const key = node.cap && node.children.length === 0 ? groupKey(node.cap) : undefined;
    const members = key === undefined ? undefined : groups.get(key);
    if (key === undefined || !members || members.length < ALIKE) return [node];
    if (done.has(key)) return [];
    done.add(key);
    const cap = node.cap!;
    return [{
      id: `many ${key}`,
      label: `${manyLabel(kindOf(cap.object), members.length)} from ${slotName(cap.slot)} on`,
      detail: cap.rights,
      change: members.find(({ change }) => change)?.change,
      open: false,
      children: members,
    }];
  });
}

/** What is shown, one below the other. `toggled` are those that are not as they were at first. */
export function itemsOf(nodes: TreeNode[], toggled: ReadonlySet<string>): Item[] {
  const items: Item[] = [];
  const visit = (list: TreeNode[], level: number, parent: string | undefined): void => {
    list.forEach((node, i) => {
      const expanded = node.children.length ? node.open !== toggled.has(node.id) : undefined;
      items.push({ node, level, place: i + 1, siblings: list.length, expanded, parent });
      if (expanded) visit(node.children, level + 1, node.id);
    });
  };
  visit(nodes, 1, undefined);
  return items;
}

/** The nodes above one, from the top. */
export function wayTo(nodes: TreeNode[], id: string): TreeNode[] | undefined {
  for (const node of nodes) {
    if (node.id === id) return [];
    const way = wayTo(node.children, id);
    if (way) return [node, ...way];
  }
  return undefined;
}

/** The next item that begins with what was typed, from one on. */
export function typedItem(items: Item[], from: number, typed: string): Item | undefined {
  const text = typed.toLowerCase();
  const start = typed.length > 1 ? from : from + 1;
  for (let i = 0; i < items.length; i++) {
    const item = items[(start + i) % items.length]!;
    if (item.node.label.toLowerCase().startsWith(text)) return item;
  }
  return undefined;
}
