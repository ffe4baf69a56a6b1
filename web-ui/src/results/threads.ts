// How the threads of a run ended, from its log.

import { all, api } from "../api/client";
import type { LogEvent, Page, ThreadEnd } from "../api/types";
import { registers } from "./words";

export interface Ended {
  thread: number;
  domain: string;
  /** The number of the event that says so. */
  event: number;
  end: ThreadEnd["end"];
  /** The function, if it is known. */
  at?: string;
  registers: Record<string, string>;
}

const kind = (id: number, backend: string | undefined, name: string) =>
  all<{ index: number; event: LogEvent }>(async ({ limit, before }) => {
    const page = await api.events(id, { backend, kind: name, limit, from: before ? Number(before) : undefined });
    // Of a run that goes on there may always be more; what comes later is asked for later.
    const next = page.items.length < (limit ?? Infinity) ? undefined : page.next?.toString();
    return { items: page.items, next } satisfies Page<{ index: number; event: LogEvent }>;
  });

/** Those that have ended, in that order. */
export async function ended(id: number, backend: string | undefined): Promise<Ended[]> {
  const [ends, created, named] = await Promise.all(
    ["ended", "domain_created", "domain_named"].map((name) => kind(id, backend, name)),
  );
  const names = new Map<number, string>();
  for (const { event } of [...(created ?? []), ...(named ?? [])]) names.set(event.domain, String(event["name"]));
  return (ends ?? []).map(({ index, event }) => ({
    thread: event.thread ?? -1,
    domain: names.get(event.domain) ?? `domain ${event.domain}`,
    event: index,
    end: event["end"] as ThreadEnd["end"],
    at: typeof event["at"] === "string" ? event["at"] : undefined,
    registers: registers(event["registers"]),
  }));
}
