// Source lines beside instructions.

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

/** The lines of a domain's images. A module without debug information has none. */
export async function sourceLines(opening: Opening, program: Program): Promise<SourceLines> {
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
