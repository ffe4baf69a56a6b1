// A snapshot with what belongs together found: whose a capability is, what is derived from it, and
// who holds an object.

import type { Int, ObjectName, SpaceId } from "../../log/event";
import { hex, namesFrom, plural, type Names } from "../../log/words";
import type { DomainSnapshot, MappedRange, Snapshot } from "./snapshot";

/** The box that the host's own capabilities are in. */
export const HOST = -1;

export interface Cap {
  /** Of its place: space and slot. */
  key: string;
  space: SpaceId;
  /** The domain whose box it is in. */
  home: number;
  /** If it is a thread's own. */
  thread?: number;
  slot: number;
  object: ObjectName;
  objectKey: string;
  rights: string;
  badge: Int;
  /** The key of what it is derived from. */
  from?: string;
  mapped?: MappedRange;
}

export interface Held {
  key: string;
  object: ObjectName;
  holders: Cap[];
}

export interface Model {
  domains: DomainSnapshot[];
  names: Names;
  /** By domain and slot, a thread's own after them. */
  caps: Cap[];
  byKey: Map<string, Cap>;
  /** Those derived from each. */
  children: Map<string, Cap[]>;
  objects: Map<string, Held>;
}

export const spaceKey = (space: SpaceId): string => {
  if (space === "host") return "h";
  if ("domain" in space) return `d${space.domain}`;
  if ("thread" in space) return `t${space.thread}`;
  return `b${space.boot}`;
};

export const capKey = (space: SpaceId, slot: number): string => `${spaceKey(space)}:${slot}`;

export const objectKey = (object: ObjectName): string => {
  const [kind, value] = Object.entries(object)[0] ?? ["nothing", ""];
  return typeof value === "object" ? `${kind}:${value.first}-${value.last}` : `${kind}:${value}`;
};

export const kindOf = (object: ObjectName): string => Object.keys(object)[0] ?? "nothing";

/** What an object is called where there is little room. */
export function objectLabel(object: ObjectName, names: Names): string {
  if ("page" in object) return `memory ${object.page}`;
  if ("lent" in object) return `lent memory ${object.lent}`;
  if ("domain" in object) return `domain ${names.domain(object.domain).replace(/^domain /, "")}`;
  if ("host_domain" in object) return `host domain ${names.domain(object.host_domain).replace(/^domain /, "")}`;
  if ("endpoint" in object) return `endpoint ${object.endpoint}`;
  if ("notification" in object) return `notification ${object.notification}`;
  if ("channel" in object) return `channel ${object.channel}`;
  if ("ports" in object) {
    const { first, last } = object.ports;
    return first === last ? `port ${hex(first)}` : `ports ${hex(first)}–${hex(last)}`;
  }
  if ("interrupt" in object) return `interrupt ${object.interrupt}`;
  if ("reply" in object) return `reply to t${object.reply}`;
  return JSON.stringify(object);
}

const MANY: Record<string, [string, string]> = {
  page: ["memory block", "memory blocks"],
  lent: ["lent block", "lent blocks"],
  domain: ["domain", "domains"],
  host_domain: ["host domain", "host domains"],
  endpoint: ["endpoint", "endpoints"],
  notification: ["notification", "notifications"],
  channel: ["channel", "channels"],
  ports: ["range of ports", "ranges of ports"],
  interrupt: ["interrupt", "interrupts"],
  reply: ["reply", "replies"],
};

export const manyLabel = (kind: string, count: number): string =>
  plural(count, ...(MANY[kind] ?? ([kind, kind] as [string, string])));

/** A slot in a box: those of the first level in decimal, a thread's own with its number. */
export const slotLabel = ({ slot, thread }: { slot: number; thread?: number }): string =>
  `${thread === undefined ? "" : `t${thread}:`}${slot < 32 ? slot : hex(slot)}`;

export const namesOf = (snapshot: Snapshot): Names =>
  namesFrom(
    snapshot.domains,
    snapshot.domains.flatMap((domain) => domain.threads.map(({ id }) => ({ id, domain: domain.id }))),
  );

export function modelOf(snapshot: Snapshot): Model {
  const homes = new Map<number, number>();
  const mapped = new Map<string, MappedRange>();
  for (const domain of snapshot.domains) {
    for (const { id } of domain.threads) homes.set(id, domain.id);
    for (const range of domain.memory) {
      const key = range.boot || range.slot == null ? undefined : `d${domain.id}:${range.slot}`;
      // A block's first range is where it begins.
      if (key !== undefined && !mapped.has(key)) mapped.set(key, range);
    }
  }
  const homeOf = (space: SpaceId): number => {
    if (space === "host") return HOST;
    if ("domain" in space) return space.domain;
    if ("boot" in space) return space.boot;
    return homes.get(space.thread) ?? HOST;
  };
  const caps = snapshot.spaces.flatMap(({ space, capabilities }) => {
    const home = homeOf(space);
    const thread = typeof space === "object" && "thread" in space ? space.thread : undefined;
    return capabilities.map(({ slot, object, rights, badge, from }): Cap => {
      const key = capKey(space, slot);
      return {
        key, space, home, thread, slot, object, rights,
        objectKey: objectKey(object),
        badge: badge ?? 0,
        from: from ? capKey(from.space, from.number) : undefined,
        mapped: mapped.get(key),
      };
    });
  });
  caps.sort((a, b) => a.home - b.home || (a.thread ?? -1) - (b.thread ?? -1) || a.slot - b.slot);
  return { domains: snapshot.domains, names: namesOf(snapshot), caps, ...related(caps) };
}

function related(caps: Cap[]): Pick<Model, "byKey" | "children" | "objects"> {
  const byKey = new Map(caps.map((cap) => [cap.key, cap]));
  const children = new Map<string, Cap[]>();
  const objects = new Map<string, Held>();
  for (const cap of caps) {
    const held = objects.get(cap.objectKey);
    if (held) held.holders.push(cap);
    else objects.set(cap.objectKey, { key: cap.objectKey, object: cap.object, holders: [cap] });
    if (cap.from === undefined) continue;
    const siblings = children.get(cap.from);
    if (siblings) siblings.push(cap);
    else children.set(cap.from, [cap]);
  }
  return { byKey, children, objects };
}

/** The capability, what it comes from, and what comes from it. */
export function familyOf(model: Model, key: string): Set<string> {
  const family = new Set<string>();
  for (let at = model.byKey.get(key); at && !family.has(at.key); at = at.from ? model.byKey.get(at.from) : undefined)
    family.add(at.key);
  const below = [key];
  for (let at = below.pop(); at !== undefined; at = below.pop()) {
    family.add(at);
    for (const child of model.children.get(at) ?? []) if (!family.has(child.key)) below.push(child.key);
  }
  return family;
}
