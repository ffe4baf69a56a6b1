// What a lesson is, once `vite/lessons.ts` has read it (docs/lessons.md describes the files).

import type { Plant } from "../lab/protocol";
import type { Text } from "../permalink";

/** What the list of lessons shows. */
export interface Summary {
  /** Its directory: what links and progress call it. */
  name: string;
  title: string;
  summary: string;
  order: number;
  /** How many steps it has. */
  steps: number;
  tasks: string[];
}

export interface Lesson extends Summary {
  pages: Page[];
  checks: Task[];
  /** The world file's text. */
  world: string;
  /** Assembly: `child.asm` becomes `child.ko`. */
  sources: Text[];
  /** Assembly that modules were made from elsewhere: to look at. */
  listings: Text[];
  /** Modules that are there as bytes. */
  modules: { name: string; url: string }[];
  /** A log that was recorded elsewhere. */
  recorded?: { name: string; url: string };
  /** Faults that are built into the machine on purpose. */
  plants: Plant[];
  /** The views that matter, the most important one first. */
  views: string[];
}

/** One step of a lesson: text with the tasks where they belong. */
export interface Page {
  title: string;
  blocks: ({ html: string } | { task: string })[];
}

/** What has to be so. A task is done if all of it is. */
export interface Task {
  id: string;
  title: string;
  hints: string[];
  /** The texts have to be changed for this: the run of the unchanged ones does not do it. */
  edit: boolean;
  /** Events of the log that must be there, in this order. */
  events: Find[];
  /** Events that must not be there. */
  never: Find[];
  count: (Find & { least: number; most: number })[];
  console: { domain: string; has: string; else: string }[];
  /** What the present moment has to be. */
  moment?: { last?: Pattern; domain?: string; at?: string; else: string };
  questions: Question[];
}

export interface Find {
  find: Pattern;
  /** What to tell if it is not as it should be. */
  else: string;
}

/**
 * Fields that an event must have. `domain` is a name, and so is `by`: the domain of the thread that
 * caused it. Numbers can be given as "0x…". "$x" is any value, but the same wherever "$x" stands;
 * "_" in a list is any value. A table can be one of `{ not = … }`, `{ any = […] }`,
 * `{ least = … }`, `{ has = "…" }`; otherwise it is a pattern for the field's own fields.
 */
export type Pattern = { [field: string]: Wanted };
export type Wanted = string | number | boolean | Wanted[] | { [field: string]: Wanted };

export interface Question {
  ask: string;
  /** Any of these is right. */
  answers?: (string | number)[];
  /** Or what the run says: a field of the first event that matches, or the event's number. */
  from?: { find: Pattern; field: string };
  /** What to tell somebody whose answer is another. */
  else: string;
}
