// The workbench, as the page calls it.

import { parse } from "../json";
import { connect, type Remote } from "../rpc";
import { address } from "../site";
import type {
  Assembled, Bundled, CheckedWorld, Compared, Disassembled, Explained, Hex, Lines, Request, Unbundled,
} from "./protocol";
import type { Answer, Handlers } from "./worker";

export interface File {
  name: string;
  bytes: Uint8Array;
}

let remote: Remote<Handlers> | undefined;

async function ask(request: Request, files: Uint8Array[] = []): Promise<Answer> {
  remote ??= connect<Handlers>(new Worker(new URL("./worker.ts", import.meta.url), { type: "module" }));
  return remote.ask(address("lcd/workbench.wasm").href, request, files);
}

const names = (files: File[]) => files.map(({ name, bytes }) => ({ name, length: bytes.length }));
const contents = (files: File[]) => files.map((file) => file.bytes);

/** Text in the Intel syntax to an object; `object` is there if there are no complaints. */
export async function assemble(name: string, text: string): Promise<Assembled & { object?: Uint8Array }> {
  const { json, files } = await ask({ assemble: { name, text } });
  const assembled = parse(json) as Assembled;
  return assembled.complaints.length ? assembled : { ...assembled, object: files };
}

export async function disassemble(at: Hex, bytes: string, count: number): Promise<Disassembled> {
  return parse((await ask({ disassemble: { address: at, bytes, count } })).json) as Disassembled;
}

export async function checkWorld(text: string): Promise<CheckedWorld> {
  return parse((await ask({ check_world: { text } })).json) as CheckedWorld;
}

/** A world and its files to a bundle; `bundle` is there if nothing is wrong or missing. */
export async function bundle(world: string, given: File[]): Promise<Bundled & { bundle?: Uint8Array }> {
  return finished(await ask({ bundle: { world, files: names(given) } }, contents(given)));
}

/** One module, alone. `given` begins with liblcd and the module. */
export async function bundleModule(name: string, given: File[]): Promise<Bundled & { bundle?: Uint8Array }> {
  return finished(await ask({ bundle_module: { name, files: names(given) } }, contents(given)));
}

function finished({ json, files }: Answer): Bundled & { bundle?: Uint8Array } {
  const bundled = parse(json) as Bundled;
  return bundled.complaints.length || bundled.missing.length ? bundled : { ...bundled, bundle: files };
}

export async function unbundle(bytes: Uint8Array): Promise<Omit<Unbundled, "files"> & { files: File[] }> {
  const { json, files } = await ask({ unbundle: { length: bytes.length } }, [bytes]);
  const { files: listed, ...rest } = parse(json) as Unbundled;
  let start = 0;
  return {
    ...rest,
    files: listed.map(({ name, length }) => ({ name, bytes: files.slice(start, (start += length)) })),
  };
}

export async function decompress(name: string, bytes: Uint8Array): Promise<Uint8Array> {
  return (await ask({ decompress: { name, length: bytes.length } }, [bytes])).files;
}

/** Two logs' texts, side by side. */
export async function compare(left: Uint8Array, right: Uint8Array, outcomes = false): Promise<Compared> {
  const request: Request = { compare: { left: left.length, right: right.length, outcomes } };
  return parse((await ask(request, [left, right])).json) as Compared;
}

export async function lines(file: File, sections: { index: number; address: Hex }[]): Promise<Lines> {
  return parse((await ask({ lines: { files: names([file]), sections } }, [file.bytes])).json) as Lines;
}

/** Why an event of a log was a refusal, from the text of its first lines and of those from number `from`
 * on. */
export async function refusal(event: number, beginning: Uint8Array, from: number, text: Uint8Array): Promise<Explained> {
  const request: Request = { refusal: { event, beginning: beginning.length, from, length: text.length } };
  return parse((await ask(request, [beginning, text])).json) as Explained;
}
