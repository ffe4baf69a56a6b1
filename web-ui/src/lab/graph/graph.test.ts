import { describe, expect, test } from "vitest";
import { linesOf, type LogLine } from "../../log/lines";
import { boxesOf, type Folds } from "./boxes";
import { changesBetween, changeText, NO_CHANGES, summary } from "./changes";
import { rowsFound } from "./find";
import { lastChanges } from "./lastly";
import { COLUMN, Layout, OBJECT_HEIGHT } from "./layout";
import { familyOf, modelOf } from "./model";
import type { CapabilitySnapshot, Snapshot } from "./snapshot";
import { itemsOf, treeOf, typedItem, wayTo } from "./tree";

const FOLDS: Folds = { collapsed: new Set(), opened: new Set() };
const from = (domain: number, number: number) => ({ space: { domain }, number });
const cap = (slot: number, page: number, rights = "rwxgc", parent?: CapabilitySnapshot["from"]): CapabilitySnapshot =>
  ({ slot, object: { page }, rights, from: parent });

const domain = (id: number, name: string): Snapshot["domains"][number] => ({
  id, name,
  state: "running",
  threads: [{ id, index: 0, state: "running" }],
  memory: [{ page: 4096, frame: 0, pages: 39, rights: "r----", boot: true }],
});

const snapshot = (main: CapabilitySnapshot[], child: CapabilitySnapshot[], thread: CapabilitySnapshot[] = []): Snapshot => ({
  domains: [domain(0, "main"), domain(1, "child")],
  spaces: [
    { space: { domain: 0 }, capabilities: main },
    { space: { domain: 1 }, capabilities: child },
    ...(thread.length ? [{ space: { thread: 1 }, capabilities: thread }] : []),
  ],
  objects: [],
});

const before = modelOf(snapshot([cap(5, 39), cap(6, 40)], [cap(7, 39, "rw---", from(0, 5))]));

describe("a model", () => {
  test("finds what is derived from what, and who holds what", () => {
    const model = modelOf(snapshot(
      [cap(5, 39), cap(6, 39, "rw-g-", from(0, 5))],
      [cap(7, 39, "r----", from(0, 6)), cap(8, 41)],
      [{ slot: 2, object: { reply: 0 }, rights: "-w---", from: { space: { thread: 0 }, number: 1 } }],
    ));
    expect([...familyOf(model, "d0:6")].sort()).toEqual(["d0:5", "d0:6", "d1:7"]);
    expect(model.objects.get("page:39")?.holders.map(({ key }) => key)).toEqual(["d0:5", "d0:6", "d1:7"]);
    expect(model.byKey.get("t1:2")).toMatchObject({ home: 1, thread: 1, from: "t0:1" });
    expect(model.caps.map(({ key }) => key)).toEqual(["d0:5", "d0:6", "d1:7", "d1:8", "t1:2"]);
  });

  test("survives a derivation that goes in a circle", () => {
    const model = modelOf(snapshot([cap(5, 1, "r----", from(1, 6))], [cap(6, 1, "r----", from(0, 5))]));
    expect(familyOf(model, "d0:5").size).toBe(2);
    expect(treeOf(model, NO_CHANGES, "derivation")).toEqual([]);
  });
});

describe("changes", () => {
  test("a revoke removes what was derived", () => {
    const after = modelOf(snapshot([cap(5, 39), cap(6, 40)], []));
    const changes = changesBetween(before, after);
    expect(changes.list.map(({ change, cap }) => [change, cap.key])).toEqual([["removed", "d1:7"]]);
    expect(summary(changes, after)).toBe("slot 7 of child lost memory 39 (rw)");
  });

  test("a grant with fewer rights says so", () => {
    const after = modelOf(snapshot([cap(5, 39), cap(6, 40)], [cap(7, 39, "rw---", from(0, 5)), cap(8, 40, "r----", from(0, 6))]));
    const changes = changesBetween(before, after);
    expect(changeText(changes.list[0]!, after)).toBe(
      "slot 8 of child got memory 40 with r, from slot 6 of main, which has rwxgc",
    );
  });

  test("narrowed rights, another object in the slot, another parent", () => {
    const after = modelOf(snapshot([cap(5, 39, "rw---"), cap(6, 99)], [cap(7, 39, "rw---")]));
    const changes = changesBetween(before, after);
    expect(changes.list.map(({ change, cap }) => `${change} ${cap.key}`)).toEqual([
      "narrowed d0:5", "removed d0:6", "added d0:6", "rederived d1:7",
    ]);
    expect(summary(changes, after)).toBe("4 changes to capabilities: 1 added, 1 removed, 1 narrowed, 1 rederived");
  });
});

describe("what the last operation did", () => {
  const lines = linesOf([
    '{"domain":0,"thread":0,"event":"capability_added","slot":6,"object":{"page":40},"rights":"rwxgc"}',
    '{"domain":0,"thread":0,"event":"hypercall","call":"cap_revoke","number":1,"arguments":[5],"status":"ok"}',
    '{"domain":1,"thread":0,"event":"unmapped","page":4096,"frame":39}',
    '{"domain":1,"thread":0,"event":"capability_removed","space":{"domain":1},"slot":7,"object":{"page":39}}',
  ]).lines(0, 4) as LogLine[];

  test("is what the log says after the last hypercall", () => {
    const after = modelOf(snapshot([cap(5, 39), cap(6, 40)], []));
    const changes = lastChanges(lines, after);
    expect(changes.list.map(({ change, cap }) => [change, cap.key, cap.home])).toEqual([["removed", "d1:7", 1]]);
    expect(summary(changes, after)).toBe("slot 7 of child lost memory 39");
    expect(boxesOf(after, changes, FOLDS)[1]?.rows).toMatchObject([{ key: "d1:7", change: "removed" }]);
    expect(lastChanges(lines.slice(0, 2), after).list).toEqual([]);
    expect(lastChanges(lines.slice(0, 1), after).list.map(({ cap }) => cap.key)).toEqual(["d0:6"]);
  });
});

describe("boxes", () => {
  test("what has just gone is shown once more", () => {
    const after = modelOf(snapshot([cap(5, 39)], []));
    const [main, child] = boxesOf(after, changesBetween(before, after), FOLDS);
    expect(main?.rows.map(({ key, change }) => [key, change])).toEqual([["d0:5", undefined], ["d0:6", "removed"]]);
    expect(child?.rows.map(({ change }) => change)).toEqual(["removed"]);
    expect(boxesOf(after, NO_CHANGES, FOLDS)[1]?.rows).toEqual([]);
  });

  const many = Array.from({ length: 40 }, (_, i) => cap(0x300000 + i, 100 + i, "rw---"));

  test("many that are alike share a row until they are opened", () => {
    const model = modelOf(snapshot([cap(5, 39), ...many], []));
    const [main] = boxesOf(model, NO_CHANGES, FOLDS);
    expect(main?.rows.map(({ text }) => text)).toEqual(["memory 39", "40 memory blocks"]);
    const group = main!.rows[1]!.group!;
    expect(boxesOf(model, NO_CHANGES, { ...FOLDS, opened: new Set([group]) })[0]?.rows.length).toBe(42);
    expect(boxesOf(model, NO_CHANGES, { ...FOLDS, collapsed: new Set([0]) })[0]).toMatchObject({ rows: [], count: 41 });
    expect(rowsFound([main!], "memory 120", model)).toEqual([`g${group}`]);
    expect(rowsFound([main!], " ", model)).toBeUndefined();
  });

  test("pages that a domain is built from are a number, not a flood", () => {
    expect(boxesOf(before, NO_CHANGES, FOLDS)[0]?.about).toBe("running, built of 39 pages");
  });
});

describe("the layout", () => {
  const place = (layout: Layout, model: typeof before) => layout.place(model, boxesOf(model, NO_CHANGES, FOLDS));

  test("nothing overlaps, and each edge ends at an object", () => {
    const picture = place(new Layout(), before);
    const [main, child] = picture.boxes;
    expect(main!.y + main!.height).toBeLessThan(child!.y);
    const ys = picture.objects.map(({ y }) => y).sort((a, b) => a - b);
    for (let i = 1; i < ys.length; i++) expect(ys[i]! - ys[i - 1]!).toBeGreaterThanOrEqual(OBJECT_HEIGHT);
    expect(picture.edges.map(({ row, objectKey }) => `${row} ${objectKey}`)).toEqual([
      "d0:5 page:39", "d0:6 page:40", "d1:7 page:39",
    ]);
    expect(picture.derivations.map(({ from, to }) => [from, to])).toEqual([["d0:5", "d1:7"]]);
  });

  test("the same moment gives the same picture, and a step moves nothing that stays", () => {
    const layout = new Layout();
    const first = place(layout, before);
    const more = modelOf(snapshot([cap(5, 39), cap(6, 40), cap(9, 50)], [cap(7, 39, "rw---", from(0, 5))]));
    const second = place(layout, more);
    for (const object of first.objects) expect(second.objects).toContainEqual(object);
    expect(second.boxes.map(({ x, y, height }) => [x, y, height])).toEqual(first.boxes.map(({ x, y, height }) => [x, y, height]));
    expect(place(layout, before)).toEqual(first);
    expect(place(new Layout(), before)).toEqual(first);
  });

  test("in several columns nothing overlaps either, and edges go both ways", () => {
    const more = modelOf(snapshot([cap(5, 39, "r----", from(1, 7))], [cap(7, 39), cap(8, 40)]));
    const { boxes, objects, edges, derivations } = new Layout().place(more, boxesOf(more, NO_CHANGES, FOLDS), 2);
    expect(boxes[0]!.x + COLUMN).toBe(boxes[1]!.x);
    expect(boxes[0]!.y).toBe(boxes[1]!.y);
    expect(new Set(objects.map(({ x }) => x))).toEqual(new Set([boxes[1]!.x + 332 + 96]));
    expect(edges.length).toBe(3);
    expect(derivations.length).toBe(1);
  });

  test("what did not change is the same object, so that it is not drawn again", () => {
    const layout = new Layout();
    const first = place(layout, before);
    const again = modelOf(snapshot([cap(5, 39), cap(6, 40), cap(9, 50)], [cap(7, 39, "rw---", from(0, 5))]));
    const second = place(layout, again);
    expect(second.boxes[0]!.rows[0]).toBe(first.boxes[0]!.rows[0]);
    expect(second.edges[0]).toBe(first.edges[0]);
  });

  test("a folded box keeps its edges to what others hold", () => {
    const { edges } = new Layout().place(before, boxesOf(before, NO_CHANGES, { ...FOLDS, collapsed: new Set([0]) }));
    expect(edges.map(({ row, objectKey }) => [row, objectKey])).toEqual([["box 0", "page:39"], ["d1:7", "page:39"]]);
  });

  test("objects that only one group holds are one", () => {
    const model = modelOf(snapshot(
      Array.from({ length: 40 }, (_, i) => cap(10 + i, 100 + i, "rw---")),
      [cap(7, 105, "r----", from(0, 15))],
    ));
    const picture = place(new Layout(), model);
    expect(picture.objects.map(({ label }) => label)).toEqual(["memory 105", "39 memory blocks"]);
    expect(picture.edges.length).toBe(3);
  });

  test("500 capabilities are placed within a frame", () => {
    const kinds = ["page", "endpoint", "notification", "channel"];
    const rights = ["rwxgc", "rw-g-", "r----", "rw---", "-w--c"];
    const big = (extra: number): Snapshot => ({
      domains: Array.from({ length: 8 }, (_, id) => domain(id, `d${id}`)),
      spaces: Array.from({ length: 8 }, (_, id) => ({
        space: { domain: id },
        capabilities: Array.from({ length: 62 + (id === 3 ? extra : 0) }, (_, i): CapabilitySnapshot => ({
          slot: 5 + i,
          object: { [kinds[i % 4]!]: i * 8 + id } as unknown as CapabilitySnapshot["object"],
          rights: rights[(i * 3 + id) % 5]!,
          badge: i,
          from: id ? from(0, 5 + i) : undefined,
        })),
      })),
      objects: [],
    });
    const layout = new Layout();
    let last = modelOf(big(0));
    const times: number[] = [];
    for (let i = 0; i < 30; i++) {
      const start = performance.now();
      const model = modelOf(big(i % 5));
      const changes = changesBetween(last, model);
      // Opened, so that each has a row.
      const boxes = boxesOf(model, changes, FOLDS);
      const opened = new Set(boxes.flatMap(({ rows }) => rows.flatMap(({ group }) => group ?? [])));
      layout.place(model, boxesOf(model, changes, { ...FOLDS, opened }));
      last = model;
      times.push(performance.now() - start);
    }
    // About 4 ms on a machine that has nothing else to do.
    expect(Math.min(...times)).toBeLessThan(16);
  });
});

describe("the tree", () => {
  test("in both orders", () => {
    const shown = (order: "domain" | "derivation") =>
      itemsOf(treeOf(before, NO_CHANGES, order), new Set()).map(({ node, level }) => `${level} ${node.label}`);
    expect(shown("domain")).toEqual([
      "1 main", "2 slot 5: memory 39", "2 slot 6: memory 40", "1 child", "2 slot 7: memory 39",
    ]);
    expect(shown("derivation")).toEqual([
      "1 memory 39: slot 5 of main", "2 memory 39: slot 7 of child", "1 memory 40: slot 6 of main",
    ]);
  });

  test("folds, ways and typing", () => {
    const nodes = treeOf(before, NO_CHANGES, "domain");
    const items = itemsOf(nodes, new Set(["domain 0"]));
    expect(items.map(({ node, expanded }) => [node.id, expanded])).toEqual([
      ["domain 0", false], ["domain 1", true], ["d1:7", undefined],
    ]);
    expect(wayTo(nodes, "d1:7")?.map(({ id }) => id)).toEqual(["domain 1"]);
    expect(wayTo(nodes, "d9:9")).toBeUndefined();
    expect(typedItem(items, 0, "s")?.node.id).toBe("d1:7");
    expect(typedItem(items, 2, "ma")?.node.id).toBe("domain 0");
    expect(typedItem(items, 0, "x")).toBeUndefined();
  });
});
