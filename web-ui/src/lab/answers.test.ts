import { describe, expect, test } from "vitest";
import { Answers } from "./answers";
import type { Request, State } from "./protocol";

const moment = (retired: number): State =>
  ({ position: { retired, steps: 0 }, events: 0, now: 0, over: false, domains: [], threads: [] });
const memory = (address: string): Request => ({ memory: { domain: 0, space: "virtual", address, length: 16 } });

describe("answers that come along", () => {
  test("are those to what was asked at the moment before", () => {
    const answers = new Answers();
    const [first, second] = [moment(1), moment(2)];
    expect(answers.find(memory("0x1000"), first)).toBeUndefined();
    expect(answers.questions()).toEqual([memory("0x1000")]);
    answers.came(second, answers.questions(), ["bytes"]);
    expect(answers.find(memory("0x1000"), second)).toEqual({ answer: "bytes" });
    expect(answers.find(memory("0x2000"), second)).toBeUndefined();
    expect(answers.questions()).toEqual([memory("0x1000"), memory("0x2000")]);
  });

  test("are never about another moment", () => {
    const answers = new Answers();
    answers.find("graph", moment(1));
    const second = moment(2);
    answers.came(second, ["graph"], [{}]);
    expect(answers.find("graph", second)).toEqual({ answer: {} });
    expect(answers.find("graph", moment(3))).toBeUndefined();
    expect(answers.find("graph", moment(2))).toBeUndefined();
    answers.clear();
    expect(answers.find("graph", second)).toBeUndefined();
  });

  test("an answer that is null is one, and one that is missing is none", () => {
    const answers = new Answers();
    const now = moment(1);
    answers.came(now, ["graph", "objects", memory("0x0")], [null, undefined]);
    expect(answers.find("graph", now)).toEqual({ answer: null });
    expect(answers.find("objects", now)).toBeUndefined();
    expect(answers.find(memory("0x0"), now)).toBeUndefined();
  });

  test("what takes long, or stays the same, does not ride", () => {
    const answers = new Answers();
    for (const request of ["digest", "header", "state", { program: { domain: 0 } }] as Request[]) {
      expect(answers.find(request, moment(1))).toBeUndefined();
    }
    expect(answers.questions()).toEqual([]);
  });

  test("what nobody asks any more is left behind after a few movements", () => {
    const answers = new Answers();
    answers.find(memory("0x1000"), moment(0));
    let movements = 0;
    for (; answers.questions().length; movements++) answers.came(moment(movements), answers.questions(), ["bytes"]);
    expect(movements).toBe(4);
  });
});
