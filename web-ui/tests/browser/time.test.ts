// There and back in time: the same moment is the same machine.

import { afterAll, beforeAll, describe, expect, inject } from "vitest";
import { inBrowser } from "./fixture/browser";
import { Laboratory, type Moment } from "./fixture/laboratory";
import { serveFiles, type Served } from "./fixture/static";

let served: Served;
beforeAll(async () => void (served = await serveFiles(inject("site"))));
afterAll(() => served.stop());

describe("time travel", () => {
  for (const kind of ["instruction", "hypercall", "event"] as const) {
    inBrowser(`one ${kind} back undoes one ${kind} forward`, async (visitor) => {
      const lab = await new Laboratory(await visitor.open(`${served.url}#/lab`)).world("revoke");
      await lab.step(kind);
      const there = [await lab.moment()];
      for (let times = 0; times < 6; times++) {
        await lab.step(kind);
        there.push(await lab.moment());
      }
      expect(new Set(there.map(({ digest }) => digest)).size).toBe(there.length);
      for (const before of there.slice(0, -1).reverse()) {
        await lab.back(kind);
        expect(await lab.moment()).toEqual(before);
      }
    });
  }

  for (const world of ["revoke", "nested-pagers", "parallel-counter"]) {
    inBrowser(`${world}: the same event has the same digest, however one comes there`, async (visitor) => {
      const lab = await new Laboratory(await visitor.open(`${served.url}#/lab`)).world(world);
      const start = await lab.moment();
      await lab.toEnd();
      const end = await lab.moment();
      expect(end.digest).not.toBe(start.digest);
      // At the end, the digests of memory all come at the same moment.
      const lines = (await lab.log()).split("\n").slice(1);
      const events = lines.findIndex((line) => line.includes('"event":"memory"'));
      const places = [0.9, 0.2, 0.5, 0.35].map((part) => Math.max(1, Math.round(events * part)));
      const seen = new Map<number, Moment>();
      for (const place of places) {
        await lab.toEvent(place);
        seen.set(place, await lab.moment());
      }
      expect(new Set([...seen.values()].map(({ digest }) => digest)).size).toBe(seen.size);
      // From the other side, and with a step away and back.
      for (const place of [...places].reverse()) {
        await lab.toEvent(place);
        expect(await lab.moment()).toEqual(seen.get(place));
        await lab.step("instruction");
        const further = await lab.moment();
        expect(further.digest).not.toBe(seen.get(place)!.digest);
        await lab.back("instruction");
        expect(await lab.moment()).toEqual(seen.get(place));
      }
      await lab.toStart();
      expect(await lab.moment()).toEqual(start);
      await lab.toEnd();
      expect(await lab.moment()).toEqual(end);
    }, { timeout: 90_000 });
  }

  inBrowser("dragging along the time line ends where it is let go", async (visitor) => {
    const lab = await new Laboratory(await visitor.open(`${served.url}#/lab`)).world("ping-pong");
    await lab.toEnd();
    const end = await lab.moment();
    const middle = Math.round(end.events / 2);
    await lab.toEvent(middle);
    const expected = await lab.moment();
    await lab.toEnd();
    const box = (await lab.slider.boundingBox())!;
    const { mouse } = lab.page;
    const y = box.y + box.height / 2;
    await mouse.move(box.x + box.width - 9, y);
    await mouse.down();
    for (let part = 0.95; part > 0.05; part -= 0.03) await mouse.move(box.x + box.width * part, y);
    for (let part = 0.05; part <= 0.5; part += 0.03) await mouse.move(box.x + box.width * part, y);
    await mouse.up();
    await lab.still();
    expect((await lab.moment()).events).toBeLessThan(end.events);
    // To the very event by keys, which is where the drag has to have led to as well.
    for (let now = await lab.moment(); now.events !== middle; now = await lab.moment()) {
      await lab.slider.press(now.events < middle ? "ArrowRight" : "ArrowLeft");
      await lab.still();
    }
    expect(await lab.moment()).toEqual(expected);
  }, { timeout: 90_000 });

  inBrowser("a breakpoint set later is found earlier", async (visitor) => {
    const lab = await new Laboratory(await visitor.open(`${served.url}#/lab`)).world("revoke");
    await lab.toEnd();
    const stops = await lab.view("Breakpoints");
    await stops.getByLabel("After a hypercall").selectOption("cap_revoke");
    await lab.toStart();
    await lab.run();
    await lab.page.getByText(/Stopped after the hypercall cap_revoke/).first().waitFor();
    const stopped = await lab.moment();
    await lab.back("instruction");
    expect((await lab.moment()).digest).not.toBe(stopped.digest);
    await lab.run();
    expect(await lab.moment()).toEqual(stopped);
  });
});
