// The lessons of this page. Their summaries are here; each lesson itself is loaded when it is opened.

import type { Lesson, Summary } from "./lesson";

const summaries = import.meta.glob<Summary>("../../lessons/*/lesson.toml", { eager: true, import: "default", query: "?summary" });
const lessons = import.meta.glob<Lesson>("../../lessons/*/lesson.toml", { import: "default" });

/** In the order in which they are meant to be read. */
export const SUMMARIES: Summary[] = Object.values(summaries).sort((one, other) => one.order - other.order);

/** A lesson by its name; nothing if there is none. */
export async function load(name: string): Promise<Lesson | undefined> {
  return await lessons[`../../lessons/${name}/lesson.toml`]?.();
}
