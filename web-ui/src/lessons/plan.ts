// A lesson as a project: its texts to be edited, built and opened.

import { WORLD, type Plan } from "../editor/project.svelte";
import type { Lesson } from "./lesson";

async function bytes(url: string): Promise<Uint8Array> {
  const response = await fetch(new URL(url, document.baseURI));
  if (!response.ok) throw new Error(`A file of the lesson could not be fetched: ${response.status} ${response.statusText}.`);
  return new Uint8Array(await response.arrayBuffer());
}

/** `step`: where a link to what is not edited leads. */
export function planOf(lesson: Lesson, step = 1): Plan {
  const { name, title, world, sources, modules, listings, recorded, plants } = lesson;
  return {
    title,
    lesson: { name, step },
    texts: [...sources, { name: WORLD, text: world }],
    modules: () => Promise.all(modules.map(async (module) => ({ name: module.name, bytes: await bytes(module.url) }))),
    listings,
    ...(recorded && { recorded: async () => new TextDecoder().decode(await bytes(recorded.url)) }),
    plants,
  };
}
