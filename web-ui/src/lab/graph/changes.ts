// What is different between two moments, and how that is said.

import { letters, plural, slotName, spaceName, type Names } from "../../log/words";
import { objectLabel, type Cap, type Model } from "./model";

export type Change = "added" | "removed" | "narrowed" | "rederived";

export interface Changed {
  change: Change;
  cap: Cap;
  /** As it was, if it was there. */
  before?: Cap;
}

export interface Changes {
  /** In the order of places. */
  list: Changed[];
  /** Domains that came, went or changed their state, in words. */
  domains: string[];
  /** Not against the moment that was shown before, but what the last operation did. */
  lastly?: boolean;
}

export const NO_CHANGES: Changes = { list: [], domains: [] };

export function changesBetween(before: Model, after: Model): Changes {
  const list: Changed[] = [];
  for (const cap of after.caps) {
    const old = before.byKey.get(cap.key);
    if (!old) list.push({ change: "added", cap });
    else if (old.objectKey !== cap.objectKey || old.badge !== cap.badge) {
      list.push({ change: "removed", cap: old, before: old }, { change: "added", cap });
    } else if (old.rights !== cap.rights) list.push({ change: "narrowed", cap, before: old });
    else if (old.from !== cap.from) list.push({ change: "rederived", cap, before: old });
  }
  for (const cap of before.caps) if (!after.byKey.has(cap.key)) list.push({ change: "removed", cap, before: cap });
  return { list, domains: domainChanges(before, after) };
}

function domainChanges(before: Model, after: Model): string[] {
  const old = new Map(before.domains.map((domain) => [domain.id, domain]));
  return after.domains.flatMap(({ id, state }) => {
    const was = old.get(id);
    const name = after.names.domain(id);
    if (!was) return [`${name} came into being`];
    return was.state === state ? [] : [`${name} is ${state}`];
  });
}

const place = ({ slot, space }: Cap, names: Names): string => `${slotName(slot)} of ${spaceName(space, names)}`;

/** One change as a sentence. */
export function changeText({ change, cap, before }: Changed, model: Model): string {
  const { names } = model;
  const what = objectLabel(cap.object, names);
  const parent = cap.from === undefined ? undefined : model.byKey.get(cap.from);
  switch (change) {
    case "added": {
      const from = parent ? `, from ${place(parent, names)}` : "";
      const fewer = parent && parent.rights !== cap.rights ? `, which has ${letters(parent.rights)}` : "";
      return `${place(cap, names)} got ${what} with ${letters(cap.rights)}${from}${fewer}`;
    }
    case "removed":
      return `${place(cap, names)} lost ${what}${cap.rights ? ` (${letters(cap.rights)})` : ""}`;
    case "narrowed":
      return `${place(cap, names)} has ${letters(cap.rights)} of ${what}, and had ${letters(before?.rights ?? "")}`;
    case "rederived":
      return parent
        ? `${place(cap, names)} is derived from ${place(parent, names)} now`
        : `${place(cap, names)} is an original now`;
  }
}

/** In a few words, for people who listen. */
export function summary(changes: Changes, model: Model): string {
  const { list, domains } = changes;
  if (list.length === 0) return domains.join("; ");
  if (list.length <= 3) return [...domains, ...list.map((changed) => changeText(changed, model))].join("; ");
  const count = (change: Change) => list.filter((changed) => changed.change === change).length;
  const parts = (["added", "removed", "narrowed", "rederived"] as const)
    .filter((change) => count(change) > 0)
    .map((change) => `${count(change)} ${change}`);
  return [...domains, `${plural(list.length, "change")} to capabilities: ${parts.join(", ")}`].join("; ");
}
