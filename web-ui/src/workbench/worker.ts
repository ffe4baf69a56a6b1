// The workbench's .wasm, away from the page's own thread.

import { serve } from "../rpc";
import type { Request } from "./protocol";

interface Exports {
  memory: WebAssembly.Memory;
  lcd_input(length: number): number;
  lcd_output(): number;
  lcd_output_length(): number;
  workbench_request(): number;
}

let loading: Promise<Exports> | undefined;

async function load(url: string): Promise<Exports> {
  const { instance } = await WebAssembly.instantiateStreaming(fetch(url), {});
  return instance.exports as unknown as Exports;
}

export interface Answer {
  json: string;
  files: Uint8Array;
}

const handlers = {
  async ask(url: string, request: Request, files: Uint8Array[]): Promise<Answer> {
    const wasm = await (loading ??= load(url));
    const json = new TextEncoder().encode(JSON.stringify(request));
    const length = 4 + json.length + files.reduce((sum, file) => sum + file.length, 0);
    const at = wasm.lcd_input(length) >>> 0;
    const input = new Uint8Array(wasm.memory.buffer, at, length);
    new DataView(input.buffer, at).setUint32(0, json.length, true);
    input.set(json, 4);
    let end = 4 + json.length;
    for (const file of files) {
      input.set(file, end);
      end += file.length;
    }
    let code: number;
    try {
      code = wasm.workbench_request();
    } catch (error) {
      // What broke down once is not asked again; the next request gets another one.
      loading = undefined;
      throw error;
    }
    const output = new Uint8Array(wasm.memory.buffer, wasm.lcd_output() >>> 0, wasm.lcd_output_length());
    if (code < 0) throw new Error(new TextDecoder().decode(output));
    const answered = new DataView(output.buffer, output.byteOffset).getUint32(0, true);
    return {
      json: new TextDecoder().decode(output.subarray(4, 4 + answered)),
      files: output.slice(4 + answered),
    };
  },
};

export type Handlers = typeof handlers;
serve(handlers);
