// Where everything is drawn. Each domain has a band: its box, and beside it the objects that it was
// the first to hold. A box keeps the room that it has once had, and an object its place, so that a
// step moves as little as possible.

import type { Box, BoxRow } from "./boxes";
import { Kept } from "./kept";
import { HOST, kindOf, manyLabel, objectLabel, type Cap, type Model } from "./model";

export const ROW = 20;
export const HEAD = 46;
export const BOX_WIDTH = 332;
export const OBJECT_WIDTH = 168;
export const OBJECT_HEIGHT = 26;
const OBJECT_STEP = 34;
const BETWEEN = 96;
export const COLUMN = BOX_WIDTH + BETWEEN + OBJECT_WIDTH + 110;
const BAND_GAP = 26;
const MARGIN = 70;
/** Where the edges of a folded box begin. */
const FOLDED = 26;
/** Room in a box grows by so many rows at a time. */
const ROOM = 4;

export interface PlacedRow extends BoxRow {
  y: number;
}

export interface PlacedBox extends Omit<Box, "rows"> {
  x: number;
  y: number;
  height: number;
  rows: PlacedRow[];
}

export interface PlacedObject {
  key: string;
  kind: string;
  label: string;
  /** Nothing holds it any more. */
  gone: boolean;
  x: number;
  y: number;
  /** More than one, drawn as one. */
  many: boolean;
  holders: number;
}

export interface Edge {
  key: string;
  path: string;
  /** The row's key, to show what belongs to it. */
  row: string;
  objectKey: string;
  change?: BoxRow["change"];
}

export interface Derivation {
  key: string;
  path: string;
  from: string;
  to: string;
}

export interface Picture {
  boxes: PlacedBox[];
  objects: PlacedObject[];
  edges: Edge[];
  derivations: Derivation[];
  width: number;
  height: number;
}

interface Node {
  key: string;
  kind: string;
  label: string;
  gone: boolean;
  many: boolean;
  holders: number;
  /** The domain in whose band it is. */
  band: number;
}

/** Remembers room and places from one moment to the next. Start another for another run. */
export class Layout {
  #room = new Map<number, number>();
  #places = new Map<string, { band: number; place: number }>();
  #rows = new Map<number, Kept<PlacedRow>>();
  #objects = new Kept<PlacedObject>();
  #edges = new Kept<Edge>();
  #derivations = new Kept<Derivation>();

  /** In so many columns, which domains take turns with: one that comes later moves no other. */
  place(model: Model, boxes: Box[], wide = 1): Picture {
    const nodes = nodesOf(model, boxes, (key) => this.#places.get(key)?.band);
    const taken = this.#assign(nodes, boxes);
    const placed: PlacedBox[] = [];
    const tops = new Map<number, { x: number; y: number }>();
    const columns = new Map<number, number>();
    for (const box of boxes) {
      const column = box.id === HOST ? 0 : box.id % wide;
      const y = columns.get(column) ?? 20;
      const x = MARGIN + column * COLUMN;
      const height = HEAD + this.#roomFor(box) * ROW + 6;
      const beside = (taken.get(box.id) ?? 0) * OBJECT_STEP;
      columns.set(column, y + Math.max(height, beside) + BAND_GAP);
      tops.set(box.id, { x, y });
      const rows = box.rows.map((row, i) => ({ ...row, y: y + HEAD + i * ROW }));
      placed.push({ ...box, x, y, height, rows: this.#keptRows(box.id).keep(rows) });
    }
    const objects = nodes.flatMap((node): PlacedObject[] => {
      const top = tops.get(node.band);
      const { key, kind, label, gone, many, holders } = node;
      const place = this.#places.get(key)?.place ?? 0;
      if (!top) return [];
      const x = top.x + BOX_WIDTH + BETWEEN;
      return [{ key, kind, label, gone, many, holders, x, y: top.y + 10 + place * OBJECT_STEP }];
    });
    const right = Math.max(COLUMN, ...placed.map(({ x }) => x + BOX_WIDTH + BETWEEN + OBJECT_WIDTH));
    return {
      boxes: placed,
      objects: this.#objects.keep(objects),
      edges: this.#edges.keep(edgesOf(placed, objects)),
      derivations: this.#derivations.keep(derivationsOf(model, placed)),
      width: right + 24,
      height: Math.max(120, ...columns.values()),
    };
  }

  #keptRows(box: number): Kept<PlacedRow> {
    let kept = this.#rows.get(box);
    if (!kept) this.#rows.set(box, (kept = new Kept()));
    return kept;
  }

  /** Rows that a box has room for. */
  #roomFor(box: Box): number {
    if (box.collapsed) return 0;
    const needed = Math.max(1, Math.ceil(box.rows.length / ROOM)) * ROOM;
    // Groups that were opened and closed again give their room back.
    const limit = needed + 4 * ROOM;
    const room = Math.min(limit, Math.max(this.#room.get(box.id) ?? 0, needed));
    this.#room.set(box.id, room);
    return room;
  }

  /** Gives each object a place in its band, the one that it had if that is free. Returns how many
   * places each band needs. */
  #assign(nodes: Node[], boxes: Box[]): Map<number, number> {
    const taken = new Map<number, Set<number>>(boxes.map(({ id }) => [id, new Set()]));
    const homeless: Node[] = [];
    for (const node of nodes) {
      const had = this.#places.get(node.key);
      const places = taken.get(node.band);
      if (had?.band === node.band && places && !places.has(had.place)) places.add(had.place);
      else homeless.push(node);
    }
    for (const node of homeless) {
      const places = taken.get(node.band);
      if (!places) continue;
      let place = 0;
      while (places.has(place)) place++;
      places.add(place);
      this.#places.set(node.key, { band: node.band, place });
    }
    if (this.#places.size > 20_000) this.#forget(nodes);
    return new Map([...taken].map(([band, places]) => [band, Math.max(0, ...places) + (places.size ? 1 : 0)]));
  }

  /** A run that makes objects without end does not fill the memory. */
  #forget(nodes: Node[]): void {
    const kept = new Set(nodes.map(({ key }) => key));
    for (const key of this.#places.keys()) if (!kept.has(key)) this.#places.delete(key);
  }
}

/** Objects to draw: each that a row names, and one for all those that only one row of many names. */
function nodesOf(model: Model, boxes: Box[], bandOf: (key: string) => number | undefined): Node[] {
  const nodes = new Map<string, Node>();
  const bands = new Set(boxes.map(({ id }) => id));
  const single = soleGroups(boxes);
  const opened = openGroups(boxes);
  const add = (key: string, cap: Cap, home: number, many: number) => {
    if (nodes.has(key)) return;
    const held = model.objects.get(cap.objectKey);
    const kind = kindOf(cap.object);
    const label = many ? manyLabel(kind, many) : objectLabel(cap.object, model.names);
    // The one that others have it from is the first to hold it.
    const first = many ? home : (held?.holders.find(({ from }) => from === undefined)?.home ?? home);
    const had = bandOf(key);
    const band = had !== undefined && bands.has(had) ? had : bands.has(first) ? first : home;
    nodes.set(key, {
      key, kind, label, band,
      gone: !held,
      many: many > 0,
      holders: held?.holders.length ?? 0,
    });
  };
  for (const box of boxes)
    for (const row of box.rows) {
      if (row.head && opened.has(row.group!)) continue;
      let alone = 0;
      // An object that others hold too is drawn by itself.
      for (const cap of row.caps) {
        if (single.get(cap.objectKey) === undefined) add(cap.objectKey, cap, box.id, 0);
        else alone++;
      }
      if (alone > 0) add(row.key, row.caps[0]!, box.id, alone);
    }
  return [...nodes.values()];
}

/** For each object that is only named within one closed group, that group's row. */
function soleGroups(boxes: Box[]): Map<string, string | undefined> {
  const rowOf = new Map<string, string | undefined>();
  const opened = openGroups(boxes);
  for (const { rows } of boxes)
    for (const row of rows) {
      if (row.head && opened.has(row.group!)) continue;
      for (const { objectKey } of row.caps) {
        const key = row.head ? row.key : undefined;
        if (!rowOf.has(objectKey)) rowOf.set(objectKey, key);
        else if (rowOf.get(objectKey) !== key) rowOf.set(objectKey, undefined);
      }
    }
  return rowOf;
}

const openGroups = (boxes: Pick<Box, "rows">[]): Set<string> =>
  new Set(boxes.flatMap(({ rows }) => rows.flatMap((row) => (row.group && !row.head ? [row.group] : []))));

function edgesOf(boxes: PlacedBox[], objects: PlacedObject[]): Edge[] {
  const at = new Map(objects.map((object) => [object.key, object]));
  const edges: Edge[] = [];
  const opened = openGroups(boxes);
  for (const box of boxes) {
    // Of what a folded box holds, what others hold too is still there.
    for (const target of box.folded) {
      const object = at.get(target);
      const row = `box ${box.id}`;
      if (object) edges.push({ key: `${row}>${target}`, path: edgePath(box, box.y + FOLDED, object), row, objectKey: target });
    }
    for (const row of box.rows) {
      // The members of an opened group have edges of their own.
      if (row.head && opened.has(row.group!)) continue;
      const targets = new Set(row.head ? [row.key] : []);
      for (const { objectKey } of row.caps) targets.add(objectKey);
      for (const target of targets) {
        const object = at.get(target);
        if (!object) continue;
        const path = edgePath(box, row.y + ROW / 2, object);
        edges.push({ key: `${row.key}>${target}`, path, row: row.key, objectKey: target, change: row.change });
      }
    }
  }
  return edges;
}

function edgePath(box: PlacedBox, y: number, object: PlacedObject): string {
  const to = object.y + OBJECT_HEIGHT / 2;
  if (object.x > box.x) return curve(box.x + BOX_WIDTH, y, object.x, to);
  return curve(box.x, y, object.x + OBJECT_WIDTH, to, -1);
}

/** From one side to the other, leaving and arriving horizontally. */
function curve(x: number, y: number, toX: number, toY: number, sign = 1): string {
  const bend = Math.max(30, Math.abs(toX - x) / 2) * sign;
  return `M${x} ${y}C${x + bend} ${y} ${toX - bend} ${toY} ${toX} ${toY}`;
}

function derivationsOf(model: Model, boxes: PlacedBox[]): Derivation[] {
  const rows = new Map<string, { box: PlacedBox; row: PlacedRow }>();
  for (const box of boxes)
    for (const row of box.rows) for (const { key } of row.caps) if (!rows.has(key) || !row.head) rows.set(key, { box, row });
  const found = new Map<string, Derivation>();
  for (const cap of model.caps) {
    const [from, to] = [cap.from === undefined ? undefined : rows.get(cap.from), rows.get(cap.key)];
    if (!from || !to || from.row.key === to.row.key) continue;
    const key = `${from.row.key}<${to.row.key}`;
    if (!found.has(key)) found.set(key, { key, path: derivationPath(from, to), from: from.row.key, to: to.row.key });
  }
  return [...found.values()];
}

type Place = { box: PlacedBox; row: PlacedRow };

function derivationPath(from: Place, to: Place): string {
  const [y, toY] = [from.row.y + ROW / 2, to.row.y + ROW / 2];
  if (from.box.x === to.box.x) {
    const bulge = Math.min(MARGIN - 14, 16 + Math.abs(toY - y) / 7);
    return `M${from.box.x} ${y}C${from.box.x - bulge} ${y} ${to.box.x - bulge} ${toY} ${to.box.x - 5} ${toY}`;
  }
  return from.box.x < to.box.x
    ? curve(from.box.x + BOX_WIDTH, y, to.box.x - 5, toY)
    : curve(from.box.x, y, to.box.x + BOX_WIDTH + 5, toY, -1);
}
