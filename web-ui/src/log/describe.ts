// Every event as a short sentence.

import type { Event, Int, PageRange, Parsed } from "./event";
import { callText } from "./hypercalls";
import { UNREADABLE, wordOf } from "./kinds";
import {
  endText, hex, letters, NUMBERS, objectName, plural, quoted, reasonText, short, slotName, spaceName, statusText,
  type Names,
} from "./words";

/** What happened, for people. An event of a kind that is not known here is named by its kind. */
export function describe(event: Parsed, names: Names = NUMBERS): string {
  if (event.event === UNREADABLE) return `this line is no event: ${String(event["problem"])}`;
  try {
    return sentence(event as unknown as Event, names) ?? wordOf(event.event);
  } catch {
    return `${wordOf(String(event.event))}, with fields that this page cannot read`;
  }
}

type Of<K extends Event["event"]> = Extract<Event, { event: K }>;

function sentence(event: Event, names: Names): string | undefined {
  const domain = names.domain(event.domain);
  const thread = event.thread === undefined ? "a thread" : names.thread(event.thread);
  switch (event.event) {
    case "domain_created":
      return `${domain} came into being${event.thread === undefined ? "" : `, made by ${thread}`}`;
    case "domain_named":
      return `domain ${event.domain} is called ${event.name}`;
    case "loaded":
      return `${event.module} was linked into ${domain}`;
    case "load_failed":
      return `${event.module} could not be loaded: ${event.error}`;
    case "built":
      return built(event, domain);
    case "thread_started":
      return `${thread} may run`;
    case "call":
      return `${thread} calls ${event.symbol}(${event.arguments.map(short).join(", ")})`;
    case "return":
      return `the function returned ${signed(event.value)}`;
    case "hypercall":
      return hypercall(event);
    case "completed":
      return `${event.call} is over: ${statusText(event.status)}`;
    case "message":
      return message(event, thread, names);
    case "signalled":
      return signalled(event, names);
    case "thread_created":
      return threadCreated(event, domain);
    case "thread_suspended":
      return `the thread with number ${event.index} of ${domain} was suspended`;
    case "thread_resumed":
      return `the thread with number ${event.index} of ${domain} was resumed`;
    case "faulted":
      return `${reasonText(event.fault)}; its pager is told (rip ${hex(event.rip)})`;
    case "time_advanced":
      return `nothing could run; time goes on to tick ${event.to}`;
    case "interrupt":
      return `interrupt ${event.line} was raised`;
    case "device_output":
      return `the device ${event.device} shows ${bytesText(event.hex)}`;
    case "port":
      return `${event.write ? `wrote ${hex(event.value)} to` : `read ${hex(event.value)} from`} port ${hex(event.port)}`;
    case "dumped":
      return `registers and stack were shown${event.at ? `, in ${event.at}` : ""}`;
    case "mapped":
      return mapped(event);
    case "unmapped":
      return `page ${hex(event.page)} is gone (it was frame ${event.frame})`;
    case "capability_added":
      return added(event, names);
    case "capability_removed":
      return removed(event, names);
    case "capability_derived":
      return `${slotName(event.slot)} of ${domain} is derived from ${slotName(event.from)} now`;
    case "lent_returned":
      return `nobody holds the lent memory at frame ${event.memory} any more`;
    case "ended":
      return `${thread} ended: ${endText(event.end)}${event.at ? `, in ${event.at}` : ""}`;
    case "domain_destroyed":
      return `${domain} is gone`;
    case "buffer":
      return `argument ${event.argument} points to ${bytesText(event.hex)}`;
    case "memory":
      return `${event.page === undefined ? "memory that is not mapped" : `page ${hex(event.page)}`} has digest ${event.digest.slice(0, 8)}…`;
    case "memory_total":
      return `${domain} has ${plural(event.pages, "page")}, ${event.zero} of them all zero`;
  }
}

/** Negative where the highest bit says so and the value is small. */
const signed = (value: Int): string => {
  const signed = BigInt.asIntN(64, BigInt(value));
  return signed < 0n && signed >= -4096n ? String(signed) : short(value);
};

const total = (pages: PageRange[]): number => pages.reduce((sum, range) => sum + Number(range.pages), 0);

const built = (event: Of<"built">, domain: string): string => {
  const pages = total(event.pages);
  return `${domain} was built${pages ? ` of ${plural(pages, "page")}` : ""}; its first thread is ${event.initial}`;
};

const SAYS = new Set(["console_write", "console_put"]);

function hypercall(event: Of<"hypercall">): string {
  const { call, status } = event;
  const carried = event.text !== undefined ? quoted(event.text) : event.bytes ? bytesText(event.bytes) : undefined;
  if (call && SAYS.has(call) && status === "ok" && carried) return `writes ${carried}`;
  const text = callText(call, event.number, event.arguments) + (carried ? ` ${carried}` : "");
  return status === "ok" ? text : `${text}: ${statusText(status)}`;
}

const RECEIVED = { message: "message", call: "call", notification: "signal", fault: "fault" };

function message(event: Of<"message">, from: string, names: Names): string {
  const words = event.words.slice(0, event.words.findLastIndex((word) => word != 0) + 1).map(short);
  const badge = event.badge ? `, badge ${hex(event.badge)}` : "";
  const came = bits(event.arrived);
  const lost = bits(event.failed);
  return (
    `${RECEIVED[event.received]} from ${from} to ${names.thread(event.to)}${badge}: ` +
    (words.length ? words.join(" ") : "no words") +
    (came ? `, with ${plural(came, "capability", "capabilities")}` : "") +
    (lost ? `, ${lost} could not be passed on` : "")
  );
}

const bits = (value: Int | undefined): number => BigInt(value ?? 0).toString(2).replaceAll("0", "").length;

const signalled = (event: Of<"signalled">, names: Names): string =>
  `${objectName(event.object, names)} was signalled${event.side === undefined ? "" : ` for side ${event.side}`}: bits ${hex(event.bits)}`;

const threadCreated = (event: Of<"thread_created">, domain: string): string =>
  `${event.created === undefined ? "a thread" : `thread ${event.created}`} was created in ${domain} ` +
  `with number ${event.index}${event.suspended ? ", suspended" : ""}`;

const mapped = (event: Of<"mapped">): string =>
  `page ${hex(event.page)} leads to frame ${event.frame} (${letters(event.rights)})` +
  (event.slot === undefined ? "" : `, through ${slotName(event.slot)}`);

function added(event: Of<"capability_added">, names: Names): string {
  const holder = event.space === undefined ? names.domain(event.domain) : spaceName(event.space, names);
  const badge = event.badge ? `, badge ${hex(event.badge)}` : "";
  const from = event.from ? `, from ${slotName(event.from.number)} of ${spaceName(event.from.space, names)}` : "";
  return `${slotName(event.slot)} of ${holder} holds ${objectName(event.object, names)} (${letters(event.rights)})${badge}${from}`;
}

function removed(event: Of<"capability_removed">, names: Names): string {
  const holder = spaceName(event.space, names);
  const where = event.moved_to === undefined ? "" : `; it moves to ${slotName(event.moved_to)}`;
  const heir = event.heir
    ? `; what was derived from it now is from ${slotName(event.heir.number)} of ${spaceName(event.heir.space, names)}`
    : "";
  return `${slotName(event.slot)} of ${holder} is empty: it held ${objectName(event.object, names)}${where}${heir}`;
}

const SHOWN = 16;

/** Some bytes, from hexadecimal digits; as text if they are. */
function bytesText(digits: string): string {
  const length = digits.length / 2;
  const bytes = Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  if (length > 0 && bytes.every((byte) => byte === 10 || (byte >= 32 && byte < 127)))
    return quoted(String.fromCharCode(...bytes.subarray(0, 200)));
  const shown = digits.slice(0, 2 * SHOWN).replace(/..(?=.)/g, "$& ");
  return length > SHOWN ? `${shown} … (${length} bytes)` : shown || "no bytes";
}
