// Logs from files: JSON lines, perhaps compressed with gzip.

import type { OpenedLog } from "../app/opened.svelte";
import { Trouble } from "../app/problem";

const GZIP = [0x1f, 0x8b];
const MOST = 2;
const NEWLINE = 10;
/** A header holds a recorded order of turns, so that it may be long; but not everything is a log. */
const LONGEST_HEADER = 64 << 20;

/** Reads one or two logs. What is none is told apart before any view sees it. */
export async function readLogs(files: File[]): Promise<OpenedLog[]> {
  if (files.length > MOST) {
    throw new Trouble({
      what: `${files.length} files at once are too many.`,
      todo: "Choose one log to look at, or two to compare.",
    });
  }
  return Promise.all(files.map(readLog));
}

async function readLog(file: File): Promise<OpenedLog> {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await (await unpacked(file)).arrayBuffer());
  } catch (error) {
    throw new Trouble(
      { what: "The file cannot be read.", where: file.name, todo: "If it is compressed, see whether gzip -t accepts it." },
      { cause: error },
    );
  }
  const end = bytes.indexOf(NEWLINE);
  const first = new TextDecoder().decode(bytes.subarray(0, end < 0 ? bytes.length : Math.min(end, LONGEST_HEADER)));
  if (!isHeader(first)) {
    throw new Trouble({
      what: "This is not a log of lcd: its first line is not a header.",
      where: `${file.name}, line 1`,
      todo: "Write one with lcd run WORLD --log FILE, or download a run's log from a server.",
    });
  }
  return { name: file.name, bytes };
}

async function unpacked(file: File): Promise<Response> {
  const start = new Uint8Array(await file.slice(0, GZIP.length).arrayBuffer());
  const packed = GZIP.every((byte, index) => start[index] === byte);
  return new Response(packed ? file.stream().pipeThrough(new DecompressionStream("gzip")) : file);
}

function isHeader(line: string): boolean {
  try {
    const header = JSON.parse(line) as { lcd_log?: unknown } | null;
    return typeof header?.lcd_log === "number";
  } catch {
    return false;
  }
}
