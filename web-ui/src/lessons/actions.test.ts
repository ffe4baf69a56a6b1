import { expect, it } from "vitest";
import { parseAction } from "./actions";

it("links of a lesson say what to do", () => {
  expect(parseAction("lab:run")).toEqual({ does: "run" });
  expect(parseAction("lab:step")).toEqual({ does: "step", kind: "instruction" });
  expect(parseAction("lab:back/event")).toEqual({ does: "back", kind: "event" });
  expect(parseAction("lab:event/12")).toEqual({ does: "event", event: 12 });
  expect(parseAction("lab:memory/0x40000000@child")).toEqual({ does: "memory", address: "0x40000000", domain: "child" });
  expect(parseAction("lab:slot/7")).toEqual({ does: "slot", slot: 7 });
  expect(parseAction("lab:break/loop@child")).toEqual({ does: "break", label: "loop", domain: "child" });
  expect(parseAction("lab:edit/child.asm")).toEqual({ does: "edit", file: "child.asm" });
});

it("anything else is no action", () => {
  for (const link of ["https://x", "lab:", "lab:fly", "lab:run/1", "lab:run@a", "lab:step/far", "lab:event/x", "lab:event",
    "lab:memory/40", "lab:memory/0x40@", "lab:memory/0x40@a@b", "lab:break/a b", "lab:slot/-1", "lab:domain", "lab:event/1/2"]) {
    expect(parseAction(link), link).toBeUndefined();
  }
});
