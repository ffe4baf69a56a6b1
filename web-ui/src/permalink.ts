// A moment in the laboratory as a link: `#v1:` and the state, as JSON, deflated, in base64url. It
// needs no server. What is read here may come from anybody, so every field is checked, and what is
// not known is refused: a link does nothing but show what it says, or a sentence about why not.

import { fromBase64Url, toBase64Url } from "./base64";
import type { Call } from "./lab/call";
import type { Focus } from "./lab/laboratory";
import type { Hex, Position, Stops } from "./lab/protocol";

/** A text that goes along with a link. */
export interface Text {
  name: string;
  text: string;
}

/** What was open. Modules and logs are too large for a link: it asks for the file. */
export type Shown =
  | { kind: "world"; name: string }
  | { kind: "lesson"; name: string; step: number }
  /** Texts that were edited: a world file and the assembly it names. `lesson`: they began as one. */
  | { kind: "edited"; name: string; world: string; files: Text[]; lesson?: string }
  /** `call`: not the module's beginning alone, but one of its functions. */
  | { kind: "module"; name: string; digest: string; call?: Call }
  | { kind: "log"; name: string; digest: string };

/** What a link says. */
export interface Linked {
  shown: Shown;
  /** Which moment; nothing is the start. */
  moment?: Position | { events: number };
  focus?: Focus;
  stops?: Stops;
  /** The views that are open, by name. */
  views?: string[];
  /** The seed of a drawn order of turns. */
  seed?: number;
}

export type Reading = { linked: Linked } | { problem: string };

const PREFIX = "#v1:";
/** Characters of a link. Browsers and mail programs take more, people do not. */
const LINK_MAX = 60_000;
/** Bytes of the state as JSON. */
const STATE_MAX = 500_000;
const CHUNK = 1024;

/** Whether an address's last part is meant to be a link of this kind, of whichever version. */
export const isPermalink = (hash: string): boolean => /^#v\d+:/.test(hash);

/** The last part of the address for a state. The same state always gives the same text. */
export async function write(linked: Linked): Promise<string> {
  const { deflateSync, strToU8 } = await import("fflate");
  const state = check(linked);
  const json = JSON.stringify(state);
  const bytes = strToU8(`${json.slice(0, -1)},"sum":${sum(json)}}`);
  // The time is left out of the format, and the level is fixed: nothing else decides the bytes.
  const link = PREFIX + toBase64Url(deflateSync(bytes, { level: 9 }));
  if (bytes.length > STATE_MAX || link.length > LINK_MAX) {
    throw new Error("This is too much for a link: save the texts as files instead.");
  }
  return link;
}

/** What a link says, or why it says nothing. Never throws. */
export async function read(hash: string): Promise<Reading> {
  try {
    return { linked: await decode(hash) };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

async function decode(hash: string): Promise<Linked> {
  const version = /^#v(\d+):/.exec(hash)?.[1];
  if (version === undefined) throw new Error("This is not a link to a moment in the laboratory.");
  if (version !== "1") {
    throw new Error(`The link has version ${version.slice(0, 9)}, this page reads version 1: open it with a newer page.`);
  }
  if (hash.length > LINK_MAX) throw new Error("The link is too long to be one of this page's.");
  const damaged = new Error("The link is damaged: a part of it is missing or changed. Copy it again, as a whole.");
  const bytes = fromBase64Url(hash.slice(PREFIX.length));
  const json = bytes && (await inflate(bytes));
  const tail = json && /,"sum":(\d{1,10})\}$/.exec(json);
  if (!json || !tail) throw damaged;
  const stated = `${json.slice(0, tail.index)}}`;
  if (sum(stated) !== Number(tail[1])) throw damaged;
  let parsed: unknown;
  try {
    parsed = JSON.parse(stated);
  } catch {
    throw damaged;
  }
  return check(parsed);
}

/** The text that was deflated. Nothing if it is damaged, or longer than a state can be. */
async function inflate(bytes: Uint8Array): Promise<string | undefined> {
  const { Inflate } = await import("fflate");
  const pieces: Uint8Array[] = [];
  let length = 0;
  let whole = false;
  const stream = new Inflate((piece, final) => {
    pieces.push(piece.slice());
    length += piece.length;
    whole = final;
  });
  try {
    // In pieces, because a few bytes can stand for very many.
    for (let at = 0; at < bytes.length; at += CHUNK) {
      stream.push(bytes.subarray(at, at + CHUNK), at + CHUNK >= bytes.length);
      if (length > STATE_MAX) return undefined;
    }
    if (!whole) return undefined;
    const all = new Uint8Array(length);
    let end = 0;
    for (const piece of pieces) {
      all.set(piece, end);
      end += piece.length;
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(all);
  } catch {
    return undefined;
  }
}

/** The CRC-32 of a text: a changed letter in an edited program must not go unnoticed. */
function sum(text: string): number {
  let crc = ~0;
  for (const byte of new TextEncoder().encode(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc >>> 0;
}

// What a state may contain. Every reader gives the value back, as it is or in the one order of
// fields that links have, and throws a sentence that names the field.

type Fields = Record<string, unknown>;

function wrong(where: string, what: string): never {
  throw new Error(`The link cannot be followed: its ${where} is not ${what}.`);
}

function fields(value: unknown, where: string, known: string[]): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) wrong(where, "a table");
  const unknown = Object.keys(value).find((key) => !known.includes(key) && (value as Fields)[key] !== undefined);
  if (unknown !== undefined) wrong(where, `without "${unknown.slice(0, 40)}"`);
  return value as Fields;
}

function text(value: unknown, where: string, most: number): string {
  return typeof value === "string" && value.length <= most ? value : wrong(where, `a text of at most ${most} characters`);
}

/** A name of a world, a lesson, a file: it ends up in addresses. */
function name(value: unknown, where: string): string {
  return typeof value === "string" && /^[\w][\w.+-]{0,99}$/.test(value) ? value : wrong(where, "a plain name");
}

function title(value: unknown, where: string): string {
  const given = text(value, where, 200);
  return /[\u0000-\u001f\u007f]/.test(given) ? wrong(where, "a title") : given;
}

function count(value: unknown, where: string, most = Number.MAX_SAFE_INTEGER): number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most
    ? (value as number)
    : wrong(where, "a number in range");
}

function hex(value: unknown, where: string): Hex {
  return typeof value === "string" && /^0x[0-9a-f]{1,16}$/.test(value) ? value : wrong(where, "an address");
}

function list<T>(value: unknown, where: string, most: number, each: (value: unknown, where: string) => T): T[] {
  if (!Array.isArray(value) || value.length > most) wrong(where, `a list of at most ${most}`);
  return value.map((item, number) => each(item, `${where}[${number}]`));
}

/** A field that may be absent stays absent. */
function optional<K extends string, T>(key: K, value: unknown, read: (value: unknown, where: string) => T): { [P in K]?: T } {
  return (value === undefined ? {} : { [key]: read(value, key) }) as { [P in K]?: T };
}

const DOMAINS = 4096;

function check(value: unknown): Linked {
  const given = fields(value, "state", ["shown", "moment", "focus", "stops", "views", "seed"]);
  return {
    shown: shown(given.shown),
    ...optional("moment", given.moment, moment),
    ...optional("focus", given.focus, focus),
    ...optional("stops", given.stops, stops),
    ...optional("views", given.views, (views, where) => list(views, where, 32, name)),
    ...optional("seed", given.seed, (seed, where) => count(seed, where)),
  };
}

function shown(value: unknown): Shown {
  const known = ["kind", "name", "step", "world", "files", "lesson", "digest", "call"];
  const given = fields(value, "shown", known);
  switch (given.kind) {
    case "world":
      return { kind: "world", name: name(given.name, "world") };
    case "lesson":
      return { kind: "lesson", name: name(given.name, "lesson"), step: count(given.step, "step", 999) };
    case "edited":
      return {
        kind: "edited",
        name: title(given.name, "title"),
        world: text(given.world, "world file", STATE_MAX),
        files: list(given.files, "files", 32, file),
        ...optional("lesson", given.lesson, name),
      };
    case "module": {
      const file = { name: title(given.name, "file name"), digest: digest(given.digest) };
      return { kind: "module", ...file, ...optional("call", given.call, call) };
    }
    case "log":
      return { kind: "log", name: title(given.name, "file name"), digest: digest(given.digest) };
    default:
      return wrong("kind", "one that this page knows");
  }
}

function file(value: unknown, where: string): Text {
  const given = fields(value, where, ["name", "text"]);
  return { name: name(given.name, where), text: text(given.text, where, STATE_MAX) };
}

function call(value: unknown, where: string): Call {
  const given = fields(value, where, ["function", "args", "init"]);
  if (typeof given.init !== "boolean") wrong(where, "a call");
  return { function: title(given.function, "function"), args: text(given.args, "arguments", 2000), init: given.init };
}

function digest(value: unknown): string {
  return typeof value === "string" && /^[0-9a-f]{32,64}$/.test(value) ? value : wrong("digest", "a digest");
}

function moment(value: unknown): Position | { events: number } {
  const given = fields(value, "moment", ["retired", "steps", "events"]);
  if (given.events !== undefined) return { events: count(given.events, "event") };
  return { retired: count(given.retired, "moment"), steps: count(given.steps, "moment") };
}

function focus(value: unknown): Focus {
  const given = fields(value, "focus", ["domain", "thread", "address", "event", "slot"]);
  return {
    domain: count(given.domain, "domain", DOMAINS),
    ...optional("thread", given.thread, (thread, where) => count(thread, where, 1 << 20)),
    ...optional("address", given.address, hex),
    ...optional("event", given.event, (event, where) => count(event, where)),
    ...optional("slot", given.slot, (slot, where) => count(slot, where, 0x3fffff)),
  };
}

const STOPS = 64;

function stops(value: unknown): Stops {
  const given = fields(value, "stops", ["addresses", "hypercalls", "capabilities", "memory"]);
  return {
    ...optional("addresses", given.addresses, (stops, where) =>
      list(stops, where, STOPS, (stop) => {
        const { domain, address } = fields(stop, where, ["domain", "address"]);
        return { domain: count(domain, where, DOMAINS), address: hex(address, where) };
      })),
    ...optional("hypercalls", given.hypercalls, (stops, where) => list(stops, where, STOPS, name)),
    ...optional("capabilities", given.capabilities, (stops, where) =>
      list(stops, where, STOPS, (stop) => {
        const { domain, slot } = fields(stop, where, ["domain", "slot"]);
        return { domain: count(domain, where, DOMAINS), slot: count(slot, where, 0x3fffff) };
      })),
    ...optional("memory", given.memory, (stops, where) =>
      list(stops, where, STOPS, (stop) => {
        const { domain, address, length, read } = fields(stop, where, ["domain", "address", "length", "read"]);
        return {
          domain: count(domain, where, DOMAINS),
          address: hex(address, where),
          length: count(length, where, 1 << 20),
          ...(read === true ? { read: true } : read === undefined || read === false ? {} : wrong(where, "a stop")),
        };
      })),
  };
}
