// The results of a server: what is there, what changes while one looks, and what can be taken away.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject } from "vitest";
import { duration } from "../../src/app/format";
import { inBrowser } from "./fixture/browser";
import { withDirectory } from "./fixture/command";
import { hardware } from "./fixture/logs";
import { bundled } from "./fixture/modules";
import { fill, over, post, settled } from "./fixture/routes";
import { startServer, type Server } from "./fixture/server";

let server: Server;
beforeAll(async () => {
  server = await startServer(inject("site"));
  await fill(server);
}, 120_000);
afterAll(() => server?.stop());

const at = (hash: string) => `${server.url}${hash}`;
const main = (page: Page) => page.getByRole("main");
const row = (page: Page, id: number) =>
  page.getByRole("table").getByRole("row").filter({ has: page.locator(`td:first-child a[href="#/runs/${id}"]`) });

/** A world that goes on until somebody ends it. */
async function spinning(): Promise<string> {
  await server.ask("api/v1/modules?name=spin.ko", {
    method: "POST",
    headers: { "content-type": "application/octet-stream" },
    body: new Uint8Array(bundled(inject("site"), "load", "load.ko")),
  });
  return world('name = "spinning"\n[limits]\ninstructions = 1_000_000_000_000\n[[domain]]\nname = "main"\nmodule = "spin.ko"\n');
}

/** Uploads a world file; its id. */
async function world(text: string): Promise<string> {
  const response = await server.ask("api/v1/worlds", {
    method: "POST",
    headers: { "content-type": "application/toml" },
    body: text,
  });
  return ((await response.json()) as { id: string }).id;
}

describe("results of a server", () => {
  inBrowser("the table of runs follows what happens", async (visitor) => {
    const page = await visitor.open(at("#/runs"));
    await settled(page);
    await row(page, 1).getByText("agree", { exact: true }).or(row(page, 1).getByText("skipped", { exact: true })).waitFor();
    const { id } = await post(server, "api/v1/runs", { world: await spinning(), kind: "run", backends: ["sim"] });
    await row(page, Number(id)).getByText("running").waitFor();
    await post(server, `api/v1/runs/${id}/cancel`, {});
    await row(page, Number(id)).getByText("cancelled").waitFor();
  });

  inBrowser("a run can be cancelled, and run again", async (visitor) => {
    const { id } = await post(server, "api/v1/runs", { world: await spinning(), kind: "run", backends: ["sim"] });
    const page = await visitor.open(at(`#/runs/${id}`));
    await main(page).getByText("running", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await main(page).getByText("cancelled", { exact: true }).first().waitFor();
    expect((await over(server, `api/v1/runs/${id}`)).state).toBe("cancelled");
    await page.getByRole("button", { name: "Run again" }).click();
    await page.getByRole("heading", { level: 1, name: /spinning/ }).waitFor();
    await page.getByRole("link", { name: `run ${id}` }).waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await main(page).getByText("cancelled", { exact: true }).first().waitFor();
  });

  inBrowser("a run is started from the page, and its console is there", async (visitor) => {
    const page = await visitor.open(at("#/runs"));
    await page.getByRole("button", { name: "Start a run" }).click();
    const dialog = page.getByRole("dialog", { name: "Start a run" });
    await dialog.getByRole("combobox", { name: /^World/ }).fill("printk");
    await dialog.getByRole("radio", { name: /Run it on one backend/ }).check();
    await dialog.getByRole("button", { name: "Start" }).click();
    await page.getByRole("heading", { level: 1, name: /printk/ }).waitFor();
    await main(page).getByText("passed", { exact: true }).first().waitFor();
    const id = Number(/Run (\d+)/.exec((await page.getByRole("heading", { level: 1 }).textContent()) ?? "")?.[1]);
    const told = (await (await server.ask(`api/v1/runs/${id}/console`)).json()) as { domains: { text: string }[] };
    expect(told.domains[0]!.text.length).toBeGreaterThan(5);
    await expect.poll(() => page.getByRole("region", { name: "Console of main" }).locator("pre").textContent()).toBe(told.domains[0]!.text);
  });

  inBrowser("what is downloaded is what the server gives", async (visitor) => {
    const page = await visitor.open(at("#/runs/2"));
    await page.getByText("More", { exact: true }).click();
    const download = async (name: RegExp) => {
      const [given] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
      return { name: given.suggestedFilename(), text: await readFile(await given.path(), "utf8") };
    };
    const log = await download(/^Log of sim/);
    expect(log.text).toBe(await (await server.ask("api/v1/runs/2/log?backend=sim")).text());
    const junit = await download(/^JUnit/);
    expect(junit.name).toMatch(/\.xml$/);
    expect(junit.text).toMatch(/<testsuites [^>]*tests="1" failures="0"/);
    expect(junit.text).toContain('name="ping-pong"');
    const report = await download(/^HTML report/);
    expect(report.text).toMatch(/^<!doctype html>/);
    expect(report.text).toContain("ping-pong");
    const trace = JSON.parse((await download(/^Trace/)).text) as { traceEvents: unknown[] };
    expect(trace.traceEvents.length).toBeGreaterThan(10);
  });

  inBrowser("a divergence says how often, where, and what to type", async (visitor) => {
    await visitor.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const text = await (await fetch(at("lcd/worlds/arithmetic/world.toml"))).text();
    await server.ask("api/v1/modules?name=arithmetic.ko", {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body: new Uint8Array(bundled(inject("site"), "arithmetic", "arithmetic.ko")),
    });
    expect(text).toMatch(/value = 0/);
    const wrong = await world(text.replace('name = "arithmetic"', 'name = "wrong-sums"').replace("value = 0", "value = 7"));
    for (let times = 0; times < 2; times++) {
      const { id } = await post(server, "api/v1/runs", { world: wrong });
      expect((await over(server, `api/v1/runs/${id}`)).outcome).toBe("diverge");
    }
    const page = await visitor.open(at("#/divergences"));
    const group = page.getByRole("article", { name: /expectation/ });
    await group.getByRole("link", { name: "2 runs" }).waitFor();
    await group.getByRole("link", { name: "wrong-sums" }).waitFor();
    await group.getByText(/First seen .* last seen/).waitFor();
    const { items } = (await (await server.ask("api/v1/divergences")).json()) as { items: { again: string }[] };
    await group.getByRole("button", { name: /Copy what to type/ }).click();
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(items[0]!.again);
    await group.getByRole("link", { name: "2 runs" }).click();
    await expect.poll(() => page.getByRole("table").getByRole("row").count()).toBe(3);
  });

  inBrowser("two runs are compared, and where they part is marked", async (visitor) => {
    const page = await visitor.open(at("#/compare/2/3"));
    await settled(page);
    await main(page).getByText(/first diff/i).first().waitFor();
  });

  inBrowser("benchmarks are shown as they were measured", async (visitor) => {
    const page = await visitor.open(at("#/benchmarks"));
    await settled(page);
    await page.getByLabel("World").selectOption("revoke");
    await page.getByRole("heading", { level: 2, name: /^revoke on / }).waitFor();
    await page.getByText("The numbers as a table").click();
    const { seconds } = ((await (await server.ask("api/v1/runs/1")).json()) as { logs: { backend: string; seconds: number }[] })
      .logs.find(({ backend }) => backend === "sim")!;
    // How a number is written is a matter of its own (`format.test.ts`): 4.00 ms is written 4 ms.
    const shown = main(page).getByRole("table").getByText(duration(seconds), { exact: true });
    await shown.first().waitFor();
  });

  inBrowser("a campaign is started, followed to its end, and its counts are right", async (visitor) => {
    const page = await visitor.open(at("#/campaigns"));
    await page.getByRole("button", { name: "Start a campaign" }).click();
    const dialog = page.getByRole("dialog", { name: /campaign/i });
    await dialog.getByLabel("Name").fill("by hand");
    await dialog.getByRole("radio", { name: /Those that I choose/ }).check();
    for (const name of ["bits", "flags", "strings"]) {
      await dialog.getByRole("searchbox", { name: "Find" }).fill(name);
      await dialog.getByRole("checkbox", { name: new RegExp(`^${name} `) }).check();
    }
    await dialog.getByText("3 worlds chosen").waitFor();
    await dialog.getByRole("button", { name: "Start" }).click();
    await page.getByRole("heading", { level: 1, name: /by hand/ }).waitFor();
    const expected = (await hardware()) === true ? "agree" : "skipped";
    await expect.poll(() => page.getByRole("table").getByText(expected, { exact: true }).count(), { timeout: 20_000 }).toBe(3);
  });
});

inBrowser("a server with a token asks for it once, and says if it is wrong", async (visitor) => {
  await withDirectory(async (directory) => {
    const file = join(directory, "token");
    await writeFile(file, "a-token-of-sixteen-or-more", { mode: 0o600 });
    const guarded = await startServer(inject("site"), "--token-file", file);
    try {
      visitor.forgive(/401 \(Unauthorized\)/);
      const page = await visitor.open(`${guarded.url}#/runs`);
      const dialog = page.getByRole("dialog", { name: "This server wants a token" });
      await dialog.getByLabel("Token").fill("not-that-one-by-far");
      await dialog.getByRole("button", { name: "Use it" }).click();
      await dialog.getByText("did not take that token").waitFor();
      await dialog.getByLabel("Token").fill("a-token-of-sixteen-or-more");
      await dialog.getByRole("button", { name: "Use it" }).click();
      await dialog.waitFor({ state: "hidden" });
      await main(page).getByText("Nothing has been run yet").waitFor();
      await page.reload();
      await main(page).getByText("Nothing has been run yet").waitFor();
      expect(page.url()).not.toContain("token-of");
      await page.close();
    } finally {
      await guarded.stop();
    }
  });
});
