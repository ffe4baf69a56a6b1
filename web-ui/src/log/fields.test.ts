import { describe, expect, test } from "vitest";
import { fieldsOf, pretty } from "./fields";

describe("fields", () => {
  test("numbers in both bases, registers by name", () => {
    const fields = fieldsOf({ domain: 12, event: "ended", registers: { general: [255, 7], rip: 0xffffffffffffffffn } });
    expect(fields).toContainEqual({ name: "domain", value: "12", also: "0xc" });
    expect(fields).toContainEqual({ name: "registers.general.rax", value: "0xff", also: "255" });
    expect(fields).toContainEqual({ name: "registers.general.rcx", value: "7" });
    expect(fields).toContainEqual({
      name: "registers.rip", value: "0xffffffffffffffff", also: "18446744073709551615",
    });
  });

  test("JSON with line breaks keeps every digit", () => {
    const text = '{"a":[18446744073709551615,{}],"b":"x, {\\"y\\"}"}';
    expect(pretty(text)).toBe('{\n  "a": [\n    18446744073709551615,\n    {}\n  ],\n  "b": "x, {\\"y\\"}"\n}');
    expect(JSON.stringify(JSON.parse(pretty(text)))).toBe(JSON.stringify(JSON.parse(text)));
  });
});
