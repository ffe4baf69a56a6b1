// Whether a task of a lesson is done, and if not, what is missing.

import type { Find, Question, Task } from "./lesson";
import { match, namesIn, same, type Bound, type Event, type Names } from "./match";

/** What there is to judge by. */
export interface Evidence {
  /** The run as far as it has come, whatever moment is being looked at. */
  log: readonly Event[];
  over: boolean;
  /** How many events there are at the present moment. */
  present: number;
  /** Where each domain's first thread is now, as `module!function+0x12`. */
  at: ReadonlyMap<string, string>;
  /** What was typed for each question. */
  answers: readonly string[];
}

export type Outcome = { done: true } | { done: false; why: string };

const DONE: Outcome = { done: true };
const missing = (why: string): Outcome => ({ done: false, why });

export function check(task: Task, evidence: Evidence): Outcome {
  const names = namesIn(evidence.log);
  return (
    checkEvents(task, evidence, names) ??
    checkConsole(task, evidence, names) ??
    checkMoment(task, evidence, names) ??
    checkAnswers(task.questions, evidence, names) ??
    DONE
  );
}

/** The same sentence is no help to somebody who has not run anything yet. */
function notYet(why: string, { log, over }: Evidence): Outcome {
  if (over) return missing(why);
  const started = log.some((event) => event.event === "hypercall" || event.event === "ended");
  return missing(started ? `Not so far: run to the end first. ${why}` : "Run it first.");
}

function checkEvents(task: Task, evidence: Evidence, names: Names): Outcome | undefined {
  const { log } = evidence;
  const unwanted = task.never.find(({ find }) => log.some((event) => match(event, find, names)));
  if (unwanted) return missing(unwanted.else);
  const absent = firstAbsent(task.events, log, names);
  if (absent) return notYet(absent.else, evidence);
  for (const counted of task.count) {
    const times = log.filter((event) => match(event, counted.find, names)).length;
    if (times > counted.most) return missing(`${counted.else} (${times} times, at most ${counted.most}.)`);
    if (times < counted.least) return notYet(`${counted.else} (${times} times, at least ${counted.least}.)`, evidence);
  }
  // What must not happen can still happen.
  if ((task.never.length || task.count.length) && !evidence.over) return notYet("", evidence);
  return undefined;
}

/**
 * The first of the patterns that the log has no place for, in their order. Every way to place the
 * earlier ones is tried, because "$x" may stand for something else in each.
 */
function firstAbsent(wanted: Find[], log: readonly Event[], names: Names): Find | undefined {
  let furthest = 0;
  const tried = new Set<string>();
  const place = (number: number, from: number, bound: Bound): boolean => {
    furthest = Math.max(furthest, number);
    const next = wanted[number];
    if (!next) return true;
    const state = `${number} ${from} ${[...bound].map(([name, value]) => `${name}=${String(value)}`).join()}`;
    if (tried.has(state)) return false;
    tried.add(state);
    for (let at = from; at < log.length; at++) {
      const found = match(log[at]!, next.find, names, bound);
      if (!found) continue;
      if (place(number + 1, at + 1, found)) return true;
      // A later place is no better if nothing was bound here.
      if (found.size === bound.size) return false;
    }
    return false;
  };
  return place(0, 0, new Map()) ? undefined : wanted[furthest];
}

/** All that a domain wrote. */
export function consoleOf(log: readonly Event[], domain: string, names = namesIn(log)): string {
  return log
    .filter((event) => event.event === "hypercall" && event.status === "ok" && names.domains.get(event.domain) === domain)
    .filter((event) => event.call === "console_write" || event.call === "console_put")
    .map((event) => (typeof event.text === "string" ? event.text : ""))
    .join("");
}

function checkConsole(task: Task, evidence: Evidence, names: Names): Outcome | undefined {
  for (const { domain, has, else: why } of task.console) {
    if (!consoleOf(evidence.log, domain, names).includes(has)) return notYet(why, evidence);
  }
  return undefined;
}

function checkMoment({ moment }: Task, { log, present, at }: Evidence, names: Names): Outcome | undefined {
  if (!moment) return undefined;
  const { last, domain, at: place } = moment;
  const event = log[present - 1];
  if (last && !(event && match(event, last, names))) return missing(moment.else);
  if (place !== undefined && !(domain !== undefined && isAt(at.get(domain), place))) return missing(moment.else);
  return undefined;
}

/** `child!loop+0x3` is at `loop+0x3`, and `child!loop` at `loop`, which is its first instruction. */
function isAt(is: string | undefined, place: string): boolean {
  const plain = (text: string) => text.replace(/\+0x0$/, "");
  return is !== undefined && plain(is.slice(is.indexOf("!") + 1)) === plain(place);
}

function checkAnswers(questions: Question[], evidence: Evidence, names: Names): Outcome | undefined {
  for (const [number, question] of questions.entries()) {
    const given = evidence.answers[number]?.trim() ?? "";
    if (given === "") return missing(questions.length > 1 ? `Answer the question: ${question.ask}` : "Answer the question.");
    const right = question.from ? fromRun(question.from, evidence, names) : question.answers;
    if (!right) return missing("The run has not come to where the answer is: run it first.");
    if (!right.some((one) => isAnswer(given, one))) return missing(question.else);
  }
  return undefined;
}

function fromRun({ find, field }: NonNullable<Question["from"]>, { log }: Evidence, names: Names) {
  const at = log.findIndex((event) => match(event, find, names));
  if (at < 0) return undefined;
  if (field === "number") return [at];
  const value = field.split(".").reduce<unknown>((part, key) => (part as Record<string, unknown> | undefined)?.[key], log[at]);
  return value === undefined || value === null ? undefined : [value];
}

/** People write numbers in many ways, and addresses without "0x". */
function isAnswer(given: string, right: unknown): boolean {
  const plain = given.toLowerCase().replace(/[\s_'`,]/g, "").replace(/^#/, "");
  if (typeof right !== "string" || /^0x[0-9a-f]+$/i.test(right)) {
    const negative = plain.startsWith("-");
    const digits = plain.replace(/^[-+]/, "").replace(/^0x|h$/g, (mark) => (mark === "h" ? "" : mark));
    const ways = [/^\d+$/.test(digits) ? BigInt(digits) : undefined];
    if (/^(0x)?[0-9a-f]+$/.test(digits)) ways.push(BigInt(`0x${digits.replace(/^0x/, "")}`));
    return ways.some((way) => way !== undefined && same(negative ? -way : way, right));
  }
  return plain === right.toLowerCase().replace(/[\s_]/g, "");
}
