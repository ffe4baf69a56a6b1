// The page runs the same machine as the command: their logs are equal, byte for byte.

import { afterAll, beforeAll, describe, expect, inject } from "vitest";
import { write } from "../../src/permalink";
import { inBrowser } from "./fixture/browser";
import { Laboratory } from "./fixture/laboratory";
import { hardware, logOf } from "./fixture/logs";
import { serveFiles, type Served } from "./fixture/static";

let served: Served;
beforeAll(async () => void (served = await serveFiles(inject("site"))));
afterAll(() => served.stop());

/** Of every kind: faults, several domains, messages, time, ports, threads in parallel, other loaders. */
const WORLDS = [
  "arithmetic", "revoke", "bug", "ping-pong", "divide-by-zero", "write-read-only", "timer", "serial-input", "killed-threads",
  "nested-pagers", "parallel-counter", "rust", "freestanding", "null-net", "stack-overflow",
];

/** Shorter than two logs, if they differ. */
function expectEqual(page: string, command: string): void {
  const [left, right] = [page.split("\n"), command.split("\n")];
  const at = left.findIndex((line, index) => line !== right[index]);
  if (at >= 0) expect(left[at], `line ${at + 1}`).toBe(right[at]);
  expect(left.length).toBe(right.length);
  expect(page === command).toBe(true);
}

describe("the page's log is the command's, byte for byte", () => {
  inBrowser("of worlds of every kind", async (visitor) => {
    const page = await visitor.open(`${served.url}#/lab`);
    const lab = new Laboratory(page);
    for (const name of WORLDS) {
      await lab.world(name);
      await lab.toEnd();
      expectEqual(await lab.log(), await logOf(name, "--backend", "sim"));
    }
  }, { timeout: 180_000 });

  inBrowser("also after going back and forth", async (visitor) => {
    const page = await visitor.open(`${served.url}#/lab`);
    const lab = await new Laboratory(page).world("ping-pong");
    await lab.toEnd();
    await lab.toEvent(40);
    await lab.back("instruction");
    await lab.toStart();
    await lab.step("hypercall");
    await lab.toEnd();
    await lab.back("event");
    await lab.toEnd();
    expectEqual(await lab.log(), await logOf("ping-pong", "--backend", "sim"));
  });

  for (const seed of [1, 7]) {
    inBrowser(`of a drawn order of turns, seed ${seed}`, async (visitor) => {
      const link = await write({ shown: { kind: "world", name: "ping-pong" }, seed });
      const page = await visitor.open(`${served.url}${link}`);
      const lab = await new Laboratory(page).ready();
      await lab.toEnd();
      const log = await lab.log();
      expect(log.split("\n")[0]).toContain("seed");
      expectEqual(log, await logOf("ping-pong", "--backend", "sim", "--seed", String(seed)));
    });
  }

  inBrowser("of an order that was recorded on hardware", async (visitor) => {
    const here = await hardware();
    if (here !== true) return void console.log(`skipped: ${here}`);
    const recorded = await logOf("ping-pong", "--backend", "native");
    const page = await visitor.open(`${served.url}#/lab`);
    const lab = new Laboratory(page);
    await lab.choose({ name: "ping-pong.log", mimeType: "text/plain", buffer: Buffer.from(recorded) });
    await lab.ready();
    await lab.toEnd();
    const followed = (await lab.log()).split("\n");
    // What the manual leaves undefined, only the simulator says, and hardware may have either way.
    const masks = followed.map((line) => BigInt(/"undefined_flags":(\d+)/.exec(line)?.[1] ?? 0));
    const masked = (lines: string[]) =>
      lines
        .map((line, at) =>
          line
            .replace(/"rflags":(\d+)/, (_, flags: string) => `"rflags":${BigInt(flags) & ~masks[at]!}`)
            .replace(/"undefined_flags":\d+/, ""),
        )
        .slice(1)
        .join("\n");
    expectEqual(masked(followed), masked(recorded.split("\n")));
    await expect.poll(() => page.getByText("differs from the recorded one").count()).toBe(0);
  });

  // Of some the turns decide, of others the exits; in the last ones threads run at the same time, and race.
  for (const name of ["async-rpc", "ram-block", "killed-threads", "parallel-kill", "parallel-revoke", "parallel-counter"]) {
    inBrowser(`nothing is said against a recording on hardware: ${name}`, async (visitor) => {
      const here = await hardware();
      if (here !== true) return void console.log(`skipped: ${here}`);
      const recorded = await logOf(name, "--backend", "native");
      const page = await visitor.open(`${served.url}#/lab`);
      const lab = new Laboratory(page);
      await lab.choose({ name: `${name}.log`, mimeType: "text/plain", buffer: Buffer.from(recorded) });
      await lab.ready();
      await lab.toEnd();
      expect(await page.getByText("differs from the recorded one").count()).toBe(0);
    });
  }
});
