// Every lesson as its reader does it: each task is open at first, stays open when it is asked too early,
// and is done once its solution (lessons/…/solution.toml) has been carried out in the page.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Locator, Page } from "playwright-core";
import { parse } from "smol-toml";
import { afterAll, beforeAll, describe, expect, inject } from "vitest";
import type { Task } from "../../src/lessons/lesson";
import { lessonDirectories, readLesson, type LessonFiles } from "../../vite/lesson";
import { inBrowser } from "./fixture/browser";
import { serveFiles, type Served } from "./fixture/static";

let served: Served;
beforeAll(async () => void (served = await serveFiles(inject("site"))));
afterAll(() => served.stop());

const root = fileURLToPath(new URL("../../lessons/", import.meta.url));

interface Solution {
  edit?: string;
  answers?: string[];
}

/** A lesson in the page. */
class Reader {
  readonly side: Locator;

  constructor(readonly page: Page, readonly directory: string, readonly lesson: LessonFiles) {
    this.side = page.locator(".side");
  }

  box = (task: Task): Locator => this.side.getByRole("region", { name: task.title });

  async still(): Promise<void> {
    await this.page.getByRole("toolbar", { name: "Steps" }).getByRole("button", { name: /^Run/ }).waitFor();
  }

  async reset(): Promise<void> {
    await this.side.getByRole("button", { name: "Reset", exact: true }).click();
    await this.page.getByRole("toolbar", { name: "Steps" }).getByRole("button", { name: "To the start" }).and(this.page.locator(":disabled")).waitFor();
  }

  over = (): Promise<void> => this.page.locator(".status", { hasText: "The run is over." }).waitFor();

  /** As far as it goes. */
  async run(): Promise<void> {
    await this.page.getByRole("toolbar", { name: "Steps" }).getByRole("button", { name: /^Run/ }).click();
    await this.over();
  }

  async step(name: string): Promise<void> {
    const status = this.page.locator(".status");
    const before = await status.textContent();
    await this.page.getByRole("button", { name, exact: true }).click();
    await expect.poll(() => status.textContent()).not.toBe(before);
  }

  /** Replaces texts by the solution's, and runs them. */
  async edit(solution: string): Promise<void> {
    await this.page.getByRole("group", { name: "Of the lesson" }).getByRole("button", { name: /^Edit/ }).click();
    for (const name of ["world.toml", ...this.lesson.sources.map((source) => source.name)]) {
      let text: string;
      try {
        text = readFileSync(join(this.directory, solution, name), "utf8");
      } catch {
        continue;
      }
      await this.page.getByRole("tab", { name }).click();
      const editor = this.page.getByRole("textbox", { name: new RegExp(`^${name}`) });
      await editor.click();
      await this.page.keyboard.press("Control+a");
      // As a paste: a browser that types line ends by itself puts elements with styles there.
      await editor.evaluate((element, pasted) => {
        const clipboardData = new DataTransfer();
        clipboardData.setData("text/plain", pasted);
        element.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
      }, text);
    }
    await this.page.getByRole("button", { name: "Assemble and run" }).click();
    await this.over();
  }

  /** Goes to where a task wants to be. */
  async goTo(task: Task): Promise<void> {
    const { last } = task.moment!;
    const done = this.box(task).getByText("Right.");
    if (last) {
      const kind = last.event === "hypercall" ? "hypercall" : "event";
      for (let steps = 0; steps < 60 && !(await done.isVisible()); steps++) await this.step(`Forward one ${kind}`);
      return;
    }
    await this.run();
    // What the microkernel does at the end is taken back first.
    for (let steps = 0; steps < 2; steps++) await this.step("Back one instruction");
  }

  /** What the page shows, where a run decides. */
  async found(number: number, before: string | undefined): Promise<string> {
    await this.side.locator('[data-do^="lab:walk"]').nth(number).click();
    // What was looked at before stays until the answer is there: another frame, or one without a slot.
    const line = this.page.getByRole("listitem").filter({ hasText: /^Frame \d+/ }).filter({ hasText: "in slot" });
    let frame: string | undefined;
    await expect.poll(async () => {
      const lines = await line.allTextContents();
      frame = lines.map((text) => /\d+/.exec(text)![0]).find((found) => found !== before);
      return frame;
    }).toBeDefined();
    return frame!;
  }

  async solve(task: Task, { edit, answers = [] }: Solution): Promise<void> {
    const box = this.box(task);
    if (edit) await this.edit(edit);
    else if (task.moment) await this.goTo(task);
    else await this.run();
    let given: string | undefined;
    for (const [number, answer] of answers.entries()) {
      given = answer === "from the run" ? await this.found(number, given) : answer;
      await box.getByRole("textbox").nth(number).fill(given);
    }
    if (answers.length) await box.getByRole("button", { name: "Check" }).click();
    await box.getByText("Right.").waitFor();
    await box.getByRole("heading", { name: /done/ }).waitFor();
  }
}

describe("each lesson is failed and solved", () => {
  for (const directory of lessonDirectories(root)) {
    const lesson = readLesson(directory);
    const solutions = parse(readFileSync(join(directory, "solution.toml"), "utf8")) as Record<string, Solution>;

    inBrowser(lesson.name, async (visitor) => {
      const page = await visitor.open(`${served.url}#/lessons/${lesson.name}/1`);
      const reader = new Reader(page, directory, lesson);
      for (const [number, { title, blocks }] of lesson.pages.entries()) {
        if (number) await page.getByRole("navigation", { name: "Steps" }).getByRole("button", { name: `Step ${number + 1}` }).click();
        await page.getByRole("heading", { level: 2, name: title }).waitFor();
        for (const block of blocks) {
          const task = "task" in block ? lesson.checks.find(({ id }) => id === block.task) : undefined;
          if (!task) continue;
          await reader.still();
          await reader.reset();
          const box = reader.box(task);
          await box.getByRole("button", { name: "Check" }).click();
          await expect.poll(() => box.getByRole("status").textContent()).toMatch(/\w/);
          expect(await box.getByText("Right.").isVisible(), `${task.id} at the start`).toBe(false);
          if (task.edit) {
            await reader.run();
            await box.getByRole("button", { name: "Check" }).click();
            await expect.poll(() => box.getByRole("status").textContent()).not.toMatch(/Run it first|so far/);
            expect(await box.getByText("Right.").isVisible(), `${task.id} unchanged`).toBe(false);
          }
          await reader.solve(task, solutions[task.id] ?? {});
        }
      }
      await page.goto(`${served.url}#/lessons`);
      await page.getByRole("link", { name: lesson.title }).getByText("done", { exact: true }).waitFor();
    }, { timeout: 120_000 });
  }
});

describe("a lesson within another page", () => {
  inBrowser("stands alone, at its step", async (visitor) => {
    const page = await visitor.open(`${served.url}embed.html#06-revoke/2`);
    await page.getByRole("heading", { level: 2, name: "Take it back" }).waitFor();
    expect(await page.getByRole("link").count()).toBe(0);
    await page.getByRole("button", { name: "Step 1:" }).click();
    await page.getByRole("heading", { level: 2, name: "Lent for ever?" }).waitFor();
    expect(page.url()).toMatch(/embed\.html#06-revoke\/1$/);
    await page.getByRole("button", { name: "run", exact: true }).click();
    await page.getByText("Right.").waitFor();
  });

  inBrowser("that there is not says so", async (visitor) => {
    const page = await visitor.open(`${served.url}embed.html#nothing/1`);
    await page.getByRole("alert").filter({ hasText: "There is no lesson called" }).waitFor();
  });
});

describe("the editor", () => {
  inBrowser("says where a text is wrong, and lets go of the keyboard", async (visitor) => {
    const page = await visitor.open(`${served.url}#/lessons/01-a-domain/4`);
    await page.getByRole("button", { name: "Open its text" }).click();
    const editor = page.getByRole("textbox", { name: /^main\.asm/ });
    await editor.click();
    await page.keyboard.press("Control+Home");
    await page.keyboard.type("movv rax, 1 ");
    await page.getByRole("button", { name: "Line 1:" }).waitFor();
    await page.getByText(/there is no instruction `movv`/).first().waitFor();
    await page.getByRole("button", { name: "Line 1:" }).click();
    await page.keyboard.press("Tab");
    const focused = () => page.evaluate(() => document.activeElement?.shadowRoot?.activeElement?.className ?? "");
    expect(await focused()).toContain("cm-content");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("");
  });
});
