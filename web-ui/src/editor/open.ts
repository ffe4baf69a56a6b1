// Projects of the laboratory: what is open there can be edited if it is made of texts.

import { Trouble } from "../app/problem";
import type { Opening } from "../lab/laboratory";
import type { Shown } from "../permalink";
import { Project, WORLD } from "./project.svelte";
import { SCRATCH } from "./scratch";

export type Editable = Extract<Shown, { kind: "lesson" | "edited" }>;

export const isEditable = (shown: Shown | undefined): shown is Editable =>
  shown?.kind === "lesson" || shown?.kind === "edited";

/** The project that a link or a lesson means. */
export async function projectOf(shown: Editable): Promise<Project> {
  const name = shown.kind === "lesson" ? shown.name : shown.lesson;
  const texts = shown.kind === "edited" ? [...shown.files, { name: WORLD, text: shown.world }] : [];
  if (name === undefined) return new Project({ title: shown.name, texts });
  const [{ load }, { planOf }] = await Promise.all([import("../lessons/index"), import("../lessons/plan")]);
  const lesson = await load(name);
  if (!lesson && shown.kind === "edited") return new Project({ title: shown.name, texts });
  if (!lesson) {
    throw new Trouble({ what: `There is no lesson called “${name}”.`, todo: "Choose one among the lessons." });
  }
  const project = new Project(planOf(lesson, shown.kind === "lesson" ? shown.step : 1));
  project.replace(texts);
  return project;
}

const kept = new WeakMap<Opening, Promise<Project>>();

/** The project that something open was built from, with what was typed since. */
export function projectFor(opening: Opening): Promise<Project> | undefined {
  if (!isEditable(opening.shown)) return undefined;
  let project = kept.get(opening);
  if (!project) kept.set(opening, (project = projectOf(opening.shown)));
  return project;
}

/** What was built from a project is edited as that project. */
export function keep(opening: Opening, project: Project): void {
  kept.set(opening, Promise.resolve(project));
}

/** Builds a project, or says what is wrong with it. */
export async function open(project: Project): Promise<Opening> {
  const opening = await project.build();
  if (opening) {
    keep(opening, project);
    return opening;
  }
  const wrong = project.files.find(({ complaints }) => complaints.length);
  const first = wrong?.complaints[0];
  throw new Trouble({
    what: project.problem ?? first?.message ?? "The project cannot be built.",
    where: wrong && first ? `${wrong.name}, line ${first.line}` : undefined,
  });
}

/** A small program of one's own, to begin with. */
export const scratch = (): Project => new Project({ title: "Scratch", texts: SCRATCH });
