import { describe, expect, test } from "vitest";
import { EventParser } from "./sse";

const STREAM = ["retry: 2000", ": hello", "", "event: state", 'data: {"id":1}', "", "event: log", "data: a", "data: b", "id: native/0", "", ""];

describe("server-sent events", () => {
  test.each(["\n", "\r\n", "\r"])("with lines that end with %j, in any pieces", (end) => {
    const text = STREAM.join(end);
    for (let size = 1; size <= text.length; size++) {
      const parser = new EventParser();
      const events = [];
      for (let at = 0; at < text.length; at += size) events.push(...parser.push(text.slice(at, at + size)));
      // A lone carriage return at the very end is held: a line feed may follow.
      events.push(...parser.push(":\n"));
      expect(events).toEqual([
        { event: "state", data: '{"id":1}' },
        { event: "log", data: "a\nb" },
      ]);
      expect(parser.lastId).toBe("native/0");
      expect(parser.retry).toBe(2000);
    }
  });

  test("an event without data is none, but its id counts", () => {
    const parser = new EventParser();
    expect(parser.push("event: x\nid: 7\n\ndata: y\n\n")).toEqual([{ event: "message", data: "y" }]);
    expect(parser.lastId).toBe("7");
  });

  test("the id of an event that is cut off does not count", () => {
    const parser = new EventParser();
    parser.push("id: 1\ndata: x\n\nid: 2\ndata: half");
    expect(parser.lastId).toBe("1");
  });

  test("one space after the colon is no part of the value; fields without a colon are empty", () => {
    const parser = new EventParser();
    expect(parser.push("data:  two\ndata\n\n")).toEqual([{ event: "message", data: " two\n" }]);
  });

  test("what is not known is passed over", () => {
    const parser = new EventParser();
    expect(parser.push("colour: red\nretry: soon\ndata: x\n\n")).toEqual([{ event: "message", data: "x" }]);
    expect(parser.retry).toBeUndefined();
  });
});
