import { afterEach, expect, it, vi } from "vitest";

async function fresh(storage?: Partial<Storage>) {
  vi.resetModules();
  vi.stubGlobal("localStorage", storage);
  return (await import("./progress.svelte")).progress;
}

const kept = (text: string | null = null) => {
  let value = text;
  return { getItem: () => value, setItem: (_: string, given: string) => void (value = given) };
};

afterEach(() => vi.unstubAllGlobals());

it("what was done is there the next time", async () => {
  const storage = kept();
  const progress = await fresh(storage);
  progress.at("06-revoke", 2);
  progress.done("06-revoke", "twice");
  progress.done("06-revoke", "twice");
  const again = await fresh(storage);
  expect(again.isDone("06-revoke", "twice")).toBe(true);
  expect(again.count("06-revoke", ["twice", "revoke", "who"])).toBe(1);
  expect(again.step("06-revoke")).toBe(2);
  expect(again.lasting).toBe(true);
  again.forget("06-revoke");
  expect(again.step("06-revoke")).toBeUndefined();
});

it("nonsense in the storage is nothing", async () => {
  for (const text of ["{", "null", "[]", "7", '{"a":null,"b":{"done":"x","step":-1},"c":{"done":[1,"t"],"step":2.5}}']) {
    const progress = await fresh(kept(text));
    expect(progress.isDone("a", "t")).toBe(false);
    expect(progress.step("b") ?? 1).toBe(1);
    progress.done("a", "t");
    expect(progress.isDone("a", "t")).toBe(true);
  }
});

it("without storage it lasts as long as the page", async () => {
  const failing = () => {
    throw new Error("refused");
  };
  for (const storage of [undefined, { getItem: failing, setItem: failing }]) {
    const progress = await fresh(storage);
    progress.done("a", "t");
    expect(progress.isDone("a", "t")).toBe(true);
    expect(progress.lasting).toBe(false);
  }
});
