import { deflateSync, strToU8 } from "fflate";
import { describe, expect, it } from "vitest";
import { fromBase64Url, toBase64Url } from "./base64";
import { isPermalink, read, write, type Linked } from "./permalink";

const full: Linked = {
  shown: {
    kind: "edited",
    name: "Revoke, edited",
    world: 'name = "revoke"\n',
    files: [{ name: "child.asm", text: "; où?\n\tmov rax, [rbx]\n" }],
    lesson: "06-revoke",
  },
  moment: { retired: 120, steps: 7 },
  focus: { domain: 1, thread: 2, address: "0x40003000", event: 31, slot: 7 },
  stops: {
    addresses: [{ domain: 0, address: "0x10011071" }],
    hypercalls: ["cap_revoke"],
    capabilities: [{ domain: 1, slot: 7 }],
    memory: [{ domain: 1, address: "0x40003000", length: 8, read: true }],
  },
  views: ["graph", "memory"],
  seed: 3,
};

const simple: Linked[] = [
  { shown: { kind: "world", name: "revoke" } },
  { shown: { kind: "lesson", name: "06-revoke", step: 2 }, moment: { events: 12 } },
  { shown: { kind: "module", name: "crc 16.ko", digest: "0d618021b375741b6ac90fd687894401" } },
  {
    shown: {
      kind: "module", name: "crc16.ko", digest: "0d618021b375741b6ac90fd687894401",
      call: { function: "crc16", args: '0 str:123456789 "two words"', init: true },
    },
  },
  { shown: { kind: "log", name: "crash.log", digest: "0d618021b375741b6ac90fd687894401" } },
];

const linkOf = (json: string) => `#v1:${toBase64Url(deflateSync(strToU8(json)))}`;
const problem = async (hash: string) => {
  const reading = await read(hash);
  return "problem" in reading ? reading.problem : expect.fail(`was read: ${JSON.stringify(reading)}`);
};

/** A link to any state, with the sum that belongs to it. */
function forged(state: unknown): string {
  const json = JSON.stringify(state);
  let crc = ~0;
  for (const byte of strToU8(json)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return linkOf(`${json.slice(0, -1)},"sum":${~crc >>> 0}}`);
}

describe("a permalink", () => {
  it("gives back what was put into it", async () => {
    for (const linked of [full, ...simple]) {
      const link = await write(linked);
      expect(isPermalink(link)).toBe(true);
      expect(link).toMatch(/^#v1:[\w-]+$/);
      expect(await read(link)).toEqual({ linked });
    }
  });

  it("does not depend on the order of fields", async () => {
    const { shown, ...rest } = full;
    expect(await write({ ...rest, shown: { ...shown } } as Linked)).toBe(await write(full));
  });

  it("that was made once can be opened for ever", async () => {
    // Made by the first version. Never to be changed: such links are in people's notes.
    const golden =
      "#v1:dZBBbsIwEEWvEs06rRxCAaWqeoduCaoMGYiFHUe2CUFRDtZ1L9bvFCqE1EWUsefP-388kK_tuaFioKNqKiqIKxW4opQaaRjn" +
      "D-7skdPk7_5snY7C2E_ekpLcpCipbNDdK82eivVwm9_VSlfP0hs0A_cBV6-J_f56L5syGNslTvZpsnbbfgPAuEkJAG8RicTi6ZdN" +
      "Y0rGGm4wPcAvKIcoRTYTKfnALQyXkOzt7oRyoMoaqUDIYFk7ltDOUpJV5YCO4H4uhMjxIRR3EzeH2GuLKqJ8sJE63IauO93A8L2n" +
      "ZUJkmVhmU_z60rLbSa3jCO1k-3ldAj2c5FZpFdQD8M4cMsPGusuj4J_8mptDqKlYpXiZuGpwJx43WKJTfJ5CHJxsa0ivXDh4jg-Y" +
      "ozgZ_GfzPF8tspfV-AM";
    expect(await read(golden)).toEqual({ linked: full });
  });

  it("of another version says so", async () => {
    expect(await problem("#v2:AAAA")).toContain("version 2");
    expect(isPermalink("#v2:AAAA")).toBe(true);
    expect(isPermalink("#/lessons/06-revoke/2")).toBe(false);
    expect(await problem("#/lessons")).toContain("not a link");
  });

  it("that is damaged anywhere is refused, unless it still says the same", async () => {
    const link = await write(full);
    for (let end = 4; end < link.length; end++) expect(await problem(link.slice(0, end))).toContain("damaged");
    for (let at = 4; at < link.length; at++) {
      const letter = link[at] === "A" ? "B" : "A";
      const reading = await read(link.slice(0, at) + letter + link.slice(at + 1));
      // The last bits of the compressed bytes mean nothing.
      if ("linked" in reading) expect(reading.linked).toEqual(full);
      else expect(reading.problem).toContain("damaged");
    }
    expect(await problem(`${link}!`)).toContain("damaged");
    expect(await problem("#v1:")).toContain("damaged");
  });

  it("that is small and unpacks to much is refused", async () => {
    expect(await problem(linkOf(`{"shown":"${"x".repeat(10_000_000)}"}`))).toContain("damaged");
    expect(await problem(`#v1:${"A".repeat(100_000)}`)).toContain("too long");
  });

  it("with a wrong field is refused, and says which", async () => {
    const shown = simple[0]!.shown;
    const cases: [unknown, string][] = [
      [{}, "shown"],
      [{ shown: { kind: "page" } }, "kind"],
      [{ shown: { kind: "world", name: "../../etc" } }, "world"],
      [{ shown: { kind: "world", name: "https://elsewhere" } }, "world"],
      [{ shown: { kind: "lesson", name: "a", step: -1 } }, "step"],
      [{ shown: { kind: "edited", name: "a\nb", world: "", files: [] } }, "title"],
      [{ shown: { kind: "edited", name: "a", world: "", files: [{ name: "<b>", text: "" }] } }, "files[0]"],
      [{ shown: { kind: "module", name: "a.ko", digest: "xyz" } }, "digest"],
      [{ shown: { kind: "module", name: "a.ko", digest: "0".repeat(32), call: { function: "f\n", args: "", init: true } } }, "function"],
      [{ shown: { kind: "module", name: "a.ko", digest: "0".repeat(32), call: { function: "f", args: 1, init: true } } }, "arguments"],
      [{ shown: { kind: "module", name: "a.ko", digest: "0".repeat(32), call: { function: "f", args: "", init: 1 } } }, "call"],
      [{ shown, moment: { retired: 1e300, steps: 0 } }, "moment"],
      [{ shown, moment: { events: 1.5 } }, "event"],
      [{ shown, focus: { domain: "0" } }, "domain"],
      [{ shown, focus: { domain: 0, address: "javascript:alert(1)" } }, "address"],
      [{ shown, stops: { hypercalls: [{}] } }, "hypercalls"],
      [{ shown, stops: { memory: [{ domain: 0, address: "0x0", length: -1 }] } }, "memory"],
      [{ shown, views: new Array(1000).fill("graph") }, "views"],
      [{ shown, more: 1 }, "more"],
      [{ shown, seed: "1" }, "seed"],
    ];
    for (const [state, where] of cases) expect(await problem(forged(state))).toContain(where);
    expect(await problem(forged([shown]))).toMatch(/damaged|table/);
  });

  it("with too much text is not made", async () => {
    let noise = 1;
    const draw = () => String.fromCharCode(33 + ((noise = (noise * 48271) % 2147483647) % 90));
    const text = Array.from({ length: 80_000 }, draw).join("");
    await expect(write({ shown: { kind: "edited", name: "a", world: text, files: [] } })).rejects.toThrow("too much");
  });
});

describe("base64url", () => {
  it("round-trips every length and refuses what it would not write", () => {
    for (let length = 0; length < 70; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length) & 0xff);
      expect(fromBase64Url(toBase64Url(bytes))).toEqual(bytes);
    }
    for (const text of ["A", "AB", "AA=", "A+A", "AAAAA"]) expect(fromBase64Url(text)).toBeUndefined();
  });
});
