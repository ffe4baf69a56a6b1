// Source lines beside instructions.

import { file as fetched, site } from "../site";
import * as workbench from "../workbench/client";
import type { Opening } from "./laboratory";
import type { Program } from "./protocol";

export interface SourceLine {
  file: string;
  line: number;
  /** The line itself, if its file is here. */
  text?: string;
}

/** Source lines by the address at which their code begins. */
export type SourceLines = Map<bigint, SourceLine>;

const base = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** What the worlds' sources include, as far as it is named: the page comes with it. */
async function addHeaders(texts: Map<string, string[]>, paths: string[]): Promise<void> {
  const { headers = [] } = await site();
  const wanted = headers.filter((header) => !texts.has(base(header)) && paths.some((path) => `/${path}`.endsWith(`/${header}`)));
  await Promise.all(
    wanted.map(async (header) => {
      const bytes = await fetched(`lcd/include/${header}`).catch(() => undefined);
      if (bytes) texts.set(base(header), new TextDecoder().decode(bytes).split("\n"));
    }),
  );
}

const known = new WeakMap<Program, Promise<SourceLines>>();

/** The lines of a domain's images. A module without debug information has none. Of a program they are
 * found once. */
export function sourceLines(opening: Opening, program: Program): Promise<SourceLines> {
  let lines = known.get(program);
  if (!lines) {
    lines = find(opening, program);
    known.set(program, lines);
    lines.catch(() => known.delete(program));
  }
  return lines;
}

async function find(opening: Opening, program: Program): Promise<SourceLines> {
  const lines: SourceLines = new Map();
  const { files } = await workbench.unbundle(opening.bundle);
  const texts = new Map((opening.sources ?? []).map(({ name, text }) => [base(name), text.split("\n")]));
  for (const image of program.images) {
    const file = files[image.file];
    if (!file) continue;
    const sections = image.sections.map(({ index, address }) => ({ index, address }));
    let found: Awaited<ReturnType<typeof workbench.lines>>;
    try {
      found = await workbench.lines(file, sections);
    } catch {
      continue;
    }
    await addHeaders(texts, found.files);
    let last = "";
    for (const entry of found.entries) {
      const name = found.files[entry.file];
      const here = `${entry.file}:${entry.line}`;
      if (name === undefined || entry.line === 0 || here === last) {
        last = here;
        continue;
      }
      last = here;
      const text = texts.get(base(name))?.[entry.line - 1];
      lines.set(BigInt(entry.address), { file: base(name), line: entry.line, text });
    }
  }
  return lines;
}
