// Texts that make a world: a world file and the assembly that its modules are made from.

import type { Opening } from "../lab/laboratory";
import type { Plant } from "../lab/protocol";
import type { Shown, Text } from "../permalink";
import { file as fetched } from "../site";
import * as workbench from "../workbench/client";
import type { Complaint } from "../workbench/protocol";

export const WORLD = "world.toml";

/** What `child.asm` is called when it is a module. */
export const moduleOf = (name: string): string => name.replace(/\.asm$/, ".ko");

export class ProjectFile {
  readonly name: string;
  /** What it was at first. */
  readonly own: string;
  text: string = $state("");
  complaints: Complaint[] = $state.raw([]);

  constructor({ name, text }: Text) {
    this.name = name;
    this.own = this.text = text;
  }

  get edited(): boolean {
    return this.text !== this.own;
  }
}

export interface Plan {
  title: string;
  /** The lesson that it is from, and the step that a link to it leads to. */
  lesson?: { name: string; step: number };
  /** The world file is called world.toml. */
  texts: Text[];
  /** Modules that are there as bytes. */
  modules?: () => Promise<workbench.File[]>;
  /** Texts to show beside them. */
  listings?: Text[];
  recorded?: () => Promise<string>;
  plants?: Plant[];
}

export class Project {
  readonly plan: Plan;
  readonly files: ProjectFile[];
  /** What is wrong, and is at no place in a text. */
  problem: string | undefined = $state();
  building = $state(false);

  constructor(plan: Plan) {
    this.plan = plan;
    this.files = plan.texts.map((text) => new ProjectFile(text));
  }

  get edited(): boolean {
    return this.files.some((file) => file.edited);
  }

  get complaints(): number {
    return this.files.reduce((sum, file) => sum + file.complaints.length, 0);
  }

  file(name: string): ProjectFile | undefined {
    return this.files.find((file) => file.name === name);
  }

  /** The texts as they were at first. */
  reset(name?: string): void {
    for (const file of this.files) {
      if (name !== undefined && file.name !== name) continue;
      file.text = file.own;
      file.complaints = [];
    }
    this.problem = undefined;
  }

  /** Other texts in place of those of the same names. */
  replace(texts: readonly Text[]): void {
    for (const { name, text } of texts) {
      const file = this.file(name);
      if (file) file.text = text;
    }
  }

  texts(): Text[] {
    return this.files.map(({ name, text }) => ({ name, text }));
  }

  /** What is wrong with one of the texts, by itself. */
  async check(file: ProjectFile): Promise<void> {
    const { name, text } = file;
    try {
      const { complaints } = name === WORLD ? await workbench.checkWorld(text) : await workbench.assemble(name, text);
      if (file.text === text) file.complaints = complaints;
    } catch (error) {
      this.problem = message(error);
    }
  }

  /** All of it as something to open; nothing if something is wrong, which is said then. */
  async build(): Promise<Opening | undefined> {
    this.building = true;
    this.problem = undefined;
    try {
      return await this.#build();
    } catch (error) {
      this.problem = message(error);
      return undefined;
    } finally {
      this.building = false;
    }
  }

  /** What a link says of the texts as they are now. */
  shown(): Shown {
    const { title, lesson } = this.plan;
    if (lesson && !this.edited) return { kind: "lesson", ...lesson };
    const files = this.texts().filter(({ name }) => name !== WORLD);
    const world = this.file(WORLD)?.text ?? "";
    return { kind: "edited", name: title, world, files, ...(lesson && { lesson: lesson.name }) };
  }

  async #build(): Promise<Opening | undefined> {
    const { title, lesson, plants, listings = [] } = this.plan;
    const programs = this.files.filter(({ name }) => name !== WORLD);
    const objects: workbench.File[] = [];
    for (const file of programs) {
      const { complaints, object } = await workbench.assemble(file.name, file.text);
      file.complaints = complaints;
      if (object) objects.push({ name: moduleOf(file.name), bytes: object });
    }
    if (objects.length < programs.length) return undefined;
    const liblcd = { name: "liblcd", bytes: await fetched("lcd/liblcd.o") };
    const given = [liblcd, ...objects, ...((await this.plan.modules?.()) ?? [])];
    const world = this.file(WORLD);
    if (!world) throw new Error("The project has no world file.");
    const { complaints, missing, bundle } = await workbench.bundle(world.text, given);
    world.complaints = complaints;
    if (missing.length) {
      this.problem = `The world file names ${missing.join(", ")}. Here there is ${objects.map(({ name }) => name).join(", ") || "no module"}.`;
    }
    if (!bundle) return undefined;
    const shown = [...programs.map(({ name, text }) => ({ name, text })), ...listings];
    return {
      title: this.edited ? `${title}, edited` : title,
      source: lesson && !this.edited ? { kind: "lesson", name: lesson.name } : { kind: "edited", name: title },
      shown: this.shown(),
      bundle,
      sources: shown.map(({ name, text }) => ({ file: moduleOf(name), name, text })),
      ...(plants?.length && { plants }),
      ...(this.plan.recorded && { recorded: await this.plan.recorded() }),
    };
  }
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));
