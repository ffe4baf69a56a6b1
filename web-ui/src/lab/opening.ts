// From what somebody has (a bundled world's name, files, a log) to something that can be opened.

import { api } from "../api/client";
import { Trouble } from "../app/problem";
import { parse } from "../json";
import { file as fetched, site, type BundledWorld } from "../site";
import type { Complaint } from "../workbench/protocol";
import * as workbench from "../workbench/client";
import type { Linked, Shown } from "../permalink";
import { callWorld, type Call } from "./call";
import type { Opening } from "./laboratory";

export interface Given {
  name: string;
  bytes: Uint8Array;
}

/** The first line of a log. */
export interface Header {
  lcd_log: number;
  backend: string;
  world: string;
  inputs: string;
  schedule?: unknown;
}

/** A log whose world is not here: it has to be given as well. */
export interface Wanting {
  log: Given;
  header: Header;
}

export type Prepared = { opening: Opening } | { wanting: Wanting; why: string };

/** The most that is read of a file: a browser's tab has little more. */
const MOST = 256 << 20;

export async function bundled(name: string): Promise<Opening> {
  const { worlds } = await site();
  const world = worlds.find((candidate) => candidate.name === name);
  if (!world) {
    throw new Trouble({ what: `No world is called “${name}”.`, todo: "Choose one from the list." });
  }
  if (world.unavailable) throw new Trouble({ what: `${name} cannot be run here: ${world.unavailable}` });
  const [text, liblcd, files, sources] = await Promise.all([
    worldFile(world, "world.toml"),
    fetched("lcd/liblcd.o"),
    Promise.all(world.files.map(async (file) => ({ name: file, bytes: await worldFile(world, file) }))),
    texts(world),
  ]);
  const given = [{ name: "liblcd", bytes: liblcd }, ...files];
  const made = await workbench.bundle(new TextDecoder().decode(text), given);
  const bundle = checked(made, `the world ${name}`);
  return { title: name, source: { kind: "world", name }, bundle, sources, shown: { kind: "world", name } };
}

/** What a link shows. Files are too large for links: it says which one is needed. */
export async function fromShown({ shown, seed }: Linked): Promise<Opening> {
  const drawn = seed === undefined ? {} : { seed, schedule: { seeded: { seed } } };
  switch (shown.kind) {
    case "world":
      return { ...(await bundled(shown.name)), ...drawn };
    case "module":
    case "log":
      throw new Trouble({
        what: `The link shows a moment of ${shown.name}, which is too large to be in a link.`,
        todo: `Choose the file ${shown.name} here: then it goes to that moment.`,
      });
    case "lesson":
    case "edited": {
      const { open, projectOf } = await import("../editor/open");
      return { ...(await open(await projectOf(shown))), ...drawn };
    }
  }
}

const worldFile = (world: BundledWorld, file: string): Promise<Uint8Array> =>
  fetched(`lcd/worlds/${encodeURIComponent(world.name)}/${encodeURIComponent(file)}`);

/** The texts of a world's modules. One that is missing only means less to see. */
async function texts(world: BundledWorld): Promise<Opening["sources"]> {
  const read = await Promise.allSettled(world.sources.map((source) => worldFile(world, source)));
  return read.flatMap((result, i) => {
    const name = world.sources[i]!;
    if (result.status === "rejected") return [];
    return [{ file: "", name, text: new TextDecoder().decode(result.value) }];
  });
}

/** What was dropped or chosen. Several files belong together: a world and its modules, a module and
 * those it depends on, a log and its world. */
export async function files(chosen: File[], wanting?: Wanting): Promise<Prepared> {
  if (!chosen.length) throw new Trouble({ what: "No file was given." });
  return given(await Promise.all(chosen.map(readFile)), wanting);
}

/** Files that have been read. */
export async function given(read: Given[], wanting?: Wanting): Promise<Prepared> {
  const kinds = read.map((one) => ({ ...one, kind: kindOf(one) }));
  const of = (kind: Kind) => kinds.filter((one) => one.kind === kind);
  const strange = of("unknown")[0];
  if (strange) {
    throw new Trouble({
      what: `${strange.name} is nothing that can be opened.`,
      where: strange.name,
      todo: "Give a module (.ko, .o or another ELF file, also compressed), a world file (.toml) with its modules, a bundle (.lcdb), or a log that lcd run --log wrote.",
    });
  }
  const logs = of("log");
  if (logs.length > 1) {
    throw new Trouble({ what: "Several logs cannot be opened at once here.", todo: "Give one; two can be compared among the results." });
  }
  const log = logs[0] ?? wanting?.log;
  const rest = kinds.filter((one) => one.kind !== "log");
  if (!log) return { opening: await runnable(rest) };
  const header = headerOf(log);
  if (!rest.length) return recordedAlone(log, header);
  return { opening: await matched(log, header, await runnable(rest)) };
}

type Kind = "module" | "world" | "bundle" | "log" | "unknown";

function kindOf({ name, bytes }: Given): Kind {
  const starts = (text: string) => [...text].every((letter, i) => bytes[i] === letter.charCodeAt(0));
  if (starts("\x7fELF")) return "module";
  if (starts("lcdb")) return "bundle";
  if (starts('{"lcd_log"')) return "log";
  if (/\.(log|jsonl|ndjson)$/i.test(name)) return "log";
  if (/\.lcdb$/i.test(name)) return "bundle";
  if (/\.toml$/i.test(name)) return "world";
  // What is called a module is treated as one, so that the loader says what is wrong with it.
  if (/\.(ko|o|elf|so)$/i.test(name)) return "module";
  return "unknown";
}

const COMPRESSED = /\.(gz|xz|zst)$/i;

async function readFile(file: File): Promise<Given> {
  if (file.size > MOST) {
    throw new Trouble({ what: `${file.name} is too large: ${Math.round(file.size / (1 << 20))} MB.`, where: file.name });
  }
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch (error) {
    throw new Trouble({ what: `${file.name} cannot be read: ${message(error)}`, where: file.name });
  }
  if (!bytes.length) throw new Trouble({ what: `${file.name} is empty.`, where: file.name });
  if (!COMPRESSED.test(file.name)) return { name: file.name, bytes };
  try {
    const unpacked = await workbench.decompress(file.name, bytes);
    return { name: file.name.replace(COMPRESSED, ""), bytes: unpacked };
  } catch (error) {
    throw new Trouble({ what: `${file.name} cannot be unpacked: ${message(error)}`, where: file.name });
  }
}

type Sorted = Given & { kind: Kind };

/** A world, a bundle, or modules. */
async function runnable(given: Sorted[]): Promise<Opening> {
  const bundle = given.find(({ kind }) => kind === "bundle");
  if (bundle) return fromBundle(bundle);
  const worlds = given.filter(({ kind }) => kind === "world");
  if (worlds.length > 1) throw new Trouble({ what: "Several world files cannot be opened at once.", todo: "Give one, with its modules." });
  const world = worlds[0];
  return world ? fromWorld(world, given.filter((one) => one !== world)) : fromModules(given);
}

async function fromBundle({ name, bytes }: Given): Promise<Opening> {
  let unbundled: Awaited<ReturnType<typeof workbench.unbundle>>;
  try {
    unbundled = await workbench.unbundle(bytes);
  } catch (error) {
    throw new Trouble({ what: `${name} is not a bundle: ${message(error)}`, where: name });
  }
  const title = (unbundled.world as { name?: string } | null)?.name ?? name;
  return { title, source: { kind: "edited", name: title }, bundle: bytes };
}

async function fromWorld(world: Given, given: Given[]): Promise<Opening> {
  const text = new TextDecoder().decode(world.bytes);
  const { name } = await workbench.checkWorld(text).catch(() => ({ name: undefined }));
  const liblcd = { name: "liblcd", bytes: await fetched("lcd/liblcd.o") };
  const made = await workbench.bundle(text, [liblcd, ...given]);
  const bundle = checked(made, world.name);
  const title = name ?? world.name;
  return { title, source: { kind: "edited", name: title }, bundle };
}

const modules = new WeakMap<Opening, Given[]>();

/** The files of a module that was opened by itself, of which other functions can be called. */
export const modulesOf = (opening: Opening): Given[] | undefined => modules.get(opening);

async function fromModules(given: Given[]): Promise<Opening> {
  const { name } = given[0]!;
  const made = await workbench.bundleModule(name, [await liblcd(), ...given]);
  const shown = made.digest === undefined ? undefined : ({ kind: "module", name, digest: made.digest } as const);
  const opening: Opening = { title: name, source: { kind: "module", name }, bundle: checked(made, name), shown };
  modules.set(opening, given);
  return opening;
}

const liblcd = async (): Promise<Given> => ({ name: "liblcd", bytes: await fetched("lcd/liblcd.o") });

/** The same module, with one of its functions called. */
export async function calling(opening: Opening, call: Call): Promise<Opening> {
  const given = modules.get(opening);
  const module = given?.[0];
  if (!module) throw new Trouble({ what: "Functions can be called of modules that were opened by themselves." });
  const { name } = module;
  const made = await workbench.bundle(callWorld(name, call), [await liblcd(), ...given]);
  const bundle = checked(made, `the call of ${call.function}`);
  // A link names the module that was given, and then what is called of it.
  const shown = opening.shown?.kind === "module" ? { ...opening.shown, call } : undefined;
  const called: Opening = { title: `${name}: ${call.function}`, source: { kind: "module", name }, bundle, shown };
  modules.set(called, given);
  return called;
}

/** What was given for a link that calls one of its functions. */
export async function asLinked(prepared: Prepared, shown: Shown | undefined): Promise<Prepared> {
  const there = "opening" in prepared ? prepared.opening.shown : undefined;
  if (!("opening" in prepared) || shown?.kind !== "module" || !shown.call) return prepared;
  if (there?.kind !== "module" || there.digest !== shown.digest) return prepared;
  return { opening: await calling(prepared.opening, shown.call) };
}

interface Made {
  complaints: Complaint[];
  missing: string[];
  digest?: string;
  bundle?: Uint8Array;
}

/** The bundle, or what is wrong. */
function checked(made: Made, where: string): Uint8Array {
  if (made.bundle) return made.bundle;
  const first = made.complaints[0];
  if (first) {
    const place = first.line > 0 ? `${where}, line ${first.line}, column ${first.column}` : where;
    throw new Trouble({ what: first.message, where: place });
  }
  throw new Trouble({
    what: `${where} needs files that were not given: ${made.missing.join(", ")}.`,
    where,
    todo: "Choose or drop them together with it.",
  });
}

function headerOf({ name, bytes }: Given): Header {
  const end = bytes.indexOf(10);
  const line = new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  let header: Partial<Header> | null;
  try {
    header = parse(line) as Partial<Header> | null;
  } catch {
    throw new Trouble({ what: `${name} is not a log: its first line is not the header that lcd writes.`, where: `${name}, line 1` });
  }
  if (header?.lcd_log !== 1) {
    const what =
      typeof header?.lcd_log === "number"
        ? `${name} has version ${header.lcd_log} of the log's format, this page reads version 1.`
        : `${name} is not a log: its first line is not the header that lcd writes.`;
    throw new Trouble({ what, where: `${name}, line 1` });
  }
  if (typeof header.world !== "string" || typeof header.inputs !== "string" || typeof header.backend !== "string") {
    throw new Trouble({ what: `The header of ${name} is incomplete.`, where: `${name}, line 1` });
  }
  return header as Header;
}

/** A log without its world: it may be a bundled one. */
async function recordedAlone(log: Given, header: Header): Promise<Prepared> {
  const wanting = { log, header };
  const { worlds } = await site();
  if (!worlds.some(({ name }) => name === header.world)) {
    const why = `${log.name} was recorded of the world “${header.world}”, which does not come with this page.`;
    return { wanting, why };
  }
  try {
    return { opening: await matched(log, header, await bundled(header.world)) };
  } catch (error) {
    return { wanting, why: message(error) };
  }
}

/** The log's order of turns over this bundle, if it is what was recorded. */
async function matched(log: Given, header: Header, opening: Opening): Promise<Opening> {
  const { digest } = await workbench.unbundle(opening.bundle);
  if (digest !== header.inputs) {
    throw new Trouble({
      what: `${log.name} was recorded of other files than ${opening.title} has here: the digest of its inputs is ${header.inputs}, here it is ${digest}.`,
      where: `${log.name}, line 1`,
      todo: "Give the bundle, or the world file and the modules, that were run then.",
    });
  }
  const title = `${opening.title}, from ${log.name}`;
  const source = { kind: "log", name: log.name } as const;
  const shown = { kind: "log", name: log.name, digest } as const;
  return { ...opening, title, source, shown, recorded: new TextDecoder().decode(log.bytes) };
}

/** A run of the server that this page comes from. Of several logs a recorded one, of hardware, unless
 * it is said whose. */
export async function fromRun(id: number, backend: string | null = null): Promise<Opening> {
  const run = await api.run(id);
  const log = run.logs.find((each) => each.backend === (backend ?? "native")) ?? run.logs[0];
  if (!log) {
    throw new Trouble({ what: `Run ${id} has no log yet.`, todo: "Open it again when it has begun." });
  }
  const [text, bundle] = await Promise.all([
    api.log(id, log.backend),
    api.bundle(run.world_id ?? run.world),
  ]);
  const name = `run ${id} (${log.backend})`;
  const given = { name, bytes: new Uint8Array(await text.arrayBuffer()) };
  const opening = await fromBundle({ name: run.world, bytes: new Uint8Array(await bundle.arrayBuffer()) });
  const matching = await matched(given, headerOf(given), opening);
  const sources = await sourcesOf(run.world);
  return { ...matching, sources };
}

async function sourcesOf(name: string): Promise<Opening["sources"]> {
  const { worlds } = await site();
  const world = worlds.find((candidate) => candidate.name === name);
  return world && texts(world);
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));
