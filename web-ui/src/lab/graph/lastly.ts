// What the last operation before a moment did, from the log: for moments that were jumped to, where
// there is nothing to compare with.

import type { Event } from "../../log/event";
import type { LogLine } from "../../log/lines";
import { startsStep } from "../../log/steps";
import type { Changed, Changes } from "./changes";
import { capKey, HOST, objectKey, type Cap, type Model } from "./model";

/** Events that are looked at: more than most operations have. */
export const LOOKED_AT = 128;

export function lastChanges(lines: LogLine[], model: Model): Changes {
  const list = new Map<string, Changed>();
  const domains: string[] = [];
  for (const { event } of lastStep(lines)) {
    const { event: kind } = event;
    if (kind === "domain_created" || kind === "domain_destroyed" || kind === "built") {
      const name = model.names.domain(event.domain);
      domains.push(kind === "domain_created" ? `${name} came into being` : kind === "built" ? `${name} was built` : `${name} is gone`);
      continue;
    }
    const changed = changeOf(event as unknown as Event, model);
    if (changed) list.set(changed.cap.key, changed);
  }
  return { list: [...list.values()], domains, lastly: true };
}

/** The events from the last one on that began something. */
function lastStep(lines: LogLine[]): LogLine[] {
  const at = lines.findLastIndex(({ event }) => startsStep(event.event));
  return at < 0 ? lines : lines.slice(at);
}

function changeOf(event: Event, model: Model): Changed | undefined {
  if (event.event === "capability_added") {
    const cap = model.byKey.get(capKey(event.space ?? { domain: event.domain }, event.slot));
    return cap && { change: "added", cap };
  }
  if (event.event === "capability_derived") {
    const cap = model.byKey.get(capKey({ domain: event.domain }, event.slot));
    return cap && { change: "rederived", cap };
  }
  if (event.event !== "capability_removed") return undefined;
  const { space, slot, object } = event;
  const key = capKey(space, slot);
  if (model.byKey.has(key)) return undefined;
  const thread = typeof space === "object" && "thread" in space ? space.thread : undefined;
  const home = space === "host" ? HOST : event.domain;
  // The log does not say what rights it had.
  const cap: Cap = { key, space, home, thread, slot, object, objectKey: objectKey(object), rights: "", badge: 0 };
  return { change: "removed", cap };
}
