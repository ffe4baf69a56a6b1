import { expect, it } from "vitest";
import { argumentsOf, callWorld } from "./call";

it("reads arguments as the command does", () => {
  expect(argumentsOf("0 -1 0x10 str:123456789 hex:00ff buf:64")).toEqual([
    "0", "-1", "16", '{ text = "123456789" }', '{ hex = "00ff" }', "{ buffer = 64 }",
  ]);
  expect(argumentsOf('"two words" 0xffffffffffffffff')).toEqual(['{ text = "two words" }', "-1"]);
  expect(argumentsOf("  ")).toEqual([]);
  expect(() => argumentsOf("1 nonsense")).toThrow(/“nonsense” is no argument/);
  expect(() => argumentsOf("hex:0")).toThrow(/pairs/);
  expect(() => argumentsOf("0x1ffffffffffffffff")).toThrow(/64 bits/);
});

it("makes a world that calls the function after the module's own beginning", () => {
  expect(callWorld("crc16.ko", { function: "crc16", args: "0", init: true })).toBe(
    'name = "crc16"\n\n[[domain]]\nname = "crc16"\nmodule = "crc16.ko"\ncall = ["init_module", "crc16"]\nargs = [0]\n',
  );
  expect(callWorld("crc16.ko", { function: "crc16", args: "", init: false })).toContain('call = ["crc16"]\nargs = []');
});
