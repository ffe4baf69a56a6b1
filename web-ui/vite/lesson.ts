// A lesson's directory, read and checked: what the page gets of it.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parse } from "smol-toml";
import type { Plant } from "../src/lab/protocol.ts";
import type { Find, Lesson, Page, Pattern, Question, Task } from "../src/lessons/lesson.ts";
import { Table } from "./fields.ts";
import { readText } from "./text.ts";

/** Files are named here; the plugin makes addresses of them. */
export type LessonFiles = Omit<Lesson, "modules" | "recorded"> & { modules: string[]; recorded?: string };

export function readLesson(directory: string): LessonFiles {
  const name = basename(directory);
  const read = (file: string) => {
    const path = join(directory, file);
    if (!existsSync(path)) throw new Error(`${name}: there is no ${file}`);
    return readFileSync(path, "utf8");
  };
  const at = (file: string, error: unknown): never => {
    throw new Error(`${name}/${file}: ${error instanceof Error ? error.message : String(error)}`);
  };
  const attempt = <T>(file: string, make: () => T): T => {
    try {
      return make();
    } catch (error) {
      return at(file, error);
    }
  };
  const pages = attempt("text.md", () => readText(read("text.md")));
  return attempt("lesson.toml", () => {
    const top = Table.of(parse(read("lesson.toml")), "lesson");
    const checks = top.tables("task", task);
    const lesson: LessonFiles = {
      name,
      title: top.text("title"),
      summary: top.text("summary"),
      order: order(name),
      steps: pages.length,
      tasks: checks.map((check) => check.id),
      pages,
      checks,
      world: read(top.text("world", "world.toml")),
      sources: top.texts("sources").map((file) => ({ name: file, text: read(file) })),
      listings: top.texts("listings").map((file) => ({ name: file, text: read(file) })),
      modules: top.texts("modules"),
      recorded: top.maybeText("recorded"),
      plants: top.tables("plant", plant),
      views: top.texts("views"),
    };
    top.end();
    consistent(lesson);
    return lesson;
  });
}

/** The lessons' directories under one, in their order. */
export function lessonDirectories(root: string): string[] {
  return readdirSync(root)
    .filter((name) => existsSync(join(root, name, "lesson.toml")))
    .sort()
    .map((name) => join(root, name));
}

function order(name: string): number {
  const number = /^(\d\d)-[a-z0-9-]+$/.exec(name)?.[1];
  if (number === undefined) throw new Error(`a lesson's directory is named like 03-a-page-fault, not ${name}`);
  return Number(number);
}

function consistent({ pages, checks }: { pages: Page[]; checks: Task[] }): void {
  const placed = pages.flatMap((page) => page.blocks.flatMap((block) => ("task" in block ? [block.task] : [])));
  for (const { id } of checks) {
    if (placed.filter((one) => one === id).length !== 1) throw new Error(`the text has to have {task ${id}} once`);
    if (checks.filter((check) => check.id === id).length !== 1) throw new Error(`two tasks are called ${id}`);
  }
  const stray = placed.find((id) => !checks.some((check) => check.id === id));
  if (stray) throw new Error(`the text has {task ${stray}}, which there is not`);
}

function task(table: Table): Task {
  const result: Task = {
    id: table.text("id"),
    title: table.text("title"),
    hints: table.texts("hints"),
    edit: table.flag("edit"),
    events: table.tables("events", find),
    never: table.tables("never", find),
    count: table.tables("count", (count) => ({
      ...find(count),
      least: count.integer("least", 0),
      most: count.integer("most", Number.MAX_SAFE_INTEGER),
    })),
    console: table.tables("console", (console) => ({
      domain: console.text("domain"),
      has: console.text("has"),
      else: console.text("else"),
    })),
    moment: table.maybeTable("moment", (moment) => {
      const last = moment.take("last") as Pattern | undefined;
      return {
        ...(last && { last }),
        domain: moment.maybeText("domain"),
        at: moment.maybeText("at"),
        else: moment.text("else"),
      };
    }),
    questions: table.tables("question", question),
  };
  if (!/^[a-z][a-z0-9-]*$/.test(result.id)) table.fail("id", "of small letters");
  const { events, never, count, console, moment, questions } = result;
  if (![events, never, count, console, questions].some((list) => list.length) && !moment) {
    throw new Error(`task ${result.id} asks for nothing`);
  }
  return result;
}

function find(table: Table): Find {
  return { find: pattern(table.take("find"), table), else: table.text("else") };
}

function pattern(value: unknown, table: Table): Pattern {
  const fields = Table.of(value, `${table.where} find`);
  if (fields.take("event") === undefined) throw new Error(`${table.where}: find names no event`);
  return value as Pattern;
}

function question(table: Table): Question {
  const answers = table.take("answer");
  const from = table.maybeTable("from", (from) => ({ find: pattern(from.take("find"), from), field: from.text("field") }));
  if ((answers === undefined) === (from === undefined)) throw new Error(`${table.where} has either answer or from`);
  return {
    ask: table.text("ask"),
    ...(answers !== undefined && { answers: (Array.isArray(answers) ? answers : [answers]) as (string | number)[] }),
    ...(from && { from }),
    else: table.text("else"),
  };
}

function plant(table: Table): Plant {
  return {
    domain: table.integer("domain"),
    address: table.text("address"),
    register: table.text("register"),
    xor: table.text("xor"),
  };
}
