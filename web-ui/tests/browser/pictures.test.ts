// The pictures in the README: the views that they show are there, and with LCD_BLESS=1 they are made anew.

import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, inject } from "vitest";
import { inBrowser } from "./fixture/browser";
import { Laboratory } from "./fixture/laboratory";
import { logOf, planted } from "./fixture/logs";
import { upload } from "./fixture/modules";
import { settled } from "./fixture/routes";
import { serveFiles, type Served } from "./fixture/static";

let served: Served;
beforeAll(async () => void (served = await serveFiles(inject("site"))));
afterAll(() => served.stop());

const IMAGES = join(import.meta.dirname, "../../../docs/images");
const size = { viewport: { width: 1440, height: 900 }, timeout: 90_000 };

async function picture(page: Page, name: string): Promise<void> {
  if (!process.env.LCD_BLESS) return;
  await settled(page);
  await page.mouse.move(0, 0);
  mkdirSync(IMAGES, { recursive: true });
  const path = join(IMAGES, `${name}.png`);
  await page.screenshot({ path, animations: "disabled", caret: "hide" });
  // A palette is a third of the size, if there is something that makes one.
  try {
    execFileSync("pngquant", ["--force", "--strip", "--output", path, "192", path], { stdio: "ignore" });
  } catch {
    // Then it stays as it is.
  }
}

describe("what the README shows", () => {
  inBrowser("the laboratory, with two domains that share a page", async (visitor) => {
    const page = await visitor.open(`${served.url}#/lab`);
    const lab = await new Laboratory(page).world("revoke");
    await lab.toEnd();
    const log = (await logOf("revoke", "--backend", "sim")).split("\n").slice(1);
    // The child stands before the read that its capability no longer allows.
    await lab.toEvent(log.findIndex((line) => line.includes('"event":"ended"') && line.includes('"fault"')) + 1);
    await lab.back("instruction");
    const refusals = await lab.view("Refusals");
    await refusals.getByText(/cap_revoke/).first().waitFor();
    const graph = await lab.view("Capabilities");
    await graph.getByText("child", { exact: true }).first().waitFor();
    await graph.getByText("main", { exact: true }).first().waitFor();
    await picture(page, "laboratory");
  }, size);

  inBrowser("two logs, and where they part", async (visitor) => {
    const good = await logOf("revoke", "--backend", "sim");
    const bad = planted(good, "capability_added", (event) => (event.rights = "rwxg-"));
    const page = await visitor.open(served.url);
    const [chooser] = await Promise.all([
      page.waitForEvent("filechooser"),
      page.getByRole("button", { name: "Open log files" }).click(),
    ]);
    await chooser.setFiles([upload("native.log", good), upload("sim.log", bad.text)]);
    await page.getByRole("region", { name: "Logs side by side" }).getByText("first difference", { exact: true }).waitFor();
    await picture(page, "comparison");
  }, size);

  inBrowser("a lesson with its machine", async (visitor) => {
    const page = await visitor.open(`${served.url}#/lessons/06-revoke/1`);
    const lab = await new Laboratory(page).ready();
    await lab.toEnd();
    await page.getByText("Task, done").waitFor();
    // In the middle of it there is more to see than at its end.
    await lab.toEvent(17);
    await picture(page, "lesson");
  }, size);
});
