import { beforeEach, expect, test, vi } from "vitest";
import type { Following } from "./follow";

let streams: Following[] = [];
const stopped = vi.fn();
vi.mock("./follow", () => ({
  follow: (_: string, following: Following) => {
    streams.push(following);
    return stopped;
  },
}));
const { changes } = await import("./changes.svelte");

beforeEach(() => {
  streams = [];
  stopped.mockClear();
});

test("there is one stream for all who listen, as long as somebody does", () => {
  const heard = [vi.fn(), vi.fn()];
  const quiet = heard.map((run) => changes.listen({ run }));
  expect(streams).toHaveLength(1);
  streams[0]!.heard("run", { id: 7 });
  for (const run of heard) expect(run).toHaveBeenCalledExactlyOnceWith({ id: 7 });
  quiet[0]!();
  expect(stopped).not.toHaveBeenCalled();
  quiet[1]!();
  expect(stopped).toHaveBeenCalledOnce();
});

test("what was read before the stream was connected is read again", () => {
  const reset = vi.fn();
  const quiet = changes.listen({ reset });
  expect(reset).not.toHaveBeenCalled();
  streams[0]!.connected!(true);
  expect(reset).toHaveBeenCalledTimes(1);
  streams[0]!.connected!(false);
  expect(reset).toHaveBeenCalledTimes(1);
  streams[0]!.connected!(true);
  streams[0]!.heard("reset", {});
  expect(reset).toHaveBeenCalledTimes(3);
  quiet();
});
