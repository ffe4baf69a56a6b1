import { expect, it } from "vitest";
import { parse, stringify } from "./json";

it("keeps integers of 64 bits, there and back", () => {
  const text = '{"seed":18446744073709551615,"small":-7,"text":"9999999999999999999","list":[12345678901234567890,1.5]}';
  expect(stringify(parse(text))).toBe(text);
  expect((parse(text) as { seed: bigint }).seed).toBe(2n ** 64n - 1n);
});
