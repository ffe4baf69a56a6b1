// Which tasks were done, and where each lesson was left: kept in this browser, if it keeps anything.

const KEY = "lcd.lessons";

interface Kept {
  done: string[];
  step: number;
}

function read(): Record<string, Kept> {
  const kept: Record<string, Kept> = {};
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    if (typeof value !== "object" || value === null) return kept;
    for (const [name, one] of Object.entries(value)) {
      const { done, step } = (one ?? {}) as { done?: unknown; step?: unknown };
      const tasks = Array.isArray(done) ? done.filter((task): task is string => typeof task === "string") : [];
      kept[name] = { done: tasks, step: typeof step === "number" && step >= 1 ? Math.floor(step) : 1 };
    }
  } catch {
    // Nothing was kept, or nothing that can be read: it begins anew.
  }
  return kept;
}

class Progress {
  #kept: Record<string, Kept> = $state(read());
  /** Whether the browser keeps it. */
  lasting = $state(true);

  isDone(lesson: string, task: string): boolean {
    return this.#kept[lesson]?.done.includes(task) ?? false;
  }

  /** How many of a lesson's tasks. */
  count(lesson: string, tasks: readonly string[]): number {
    return tasks.filter((task) => this.isDone(lesson, task)).length;
  }

  /** Where it was left; nothing if it was never opened. */
  step(lesson: string): number | undefined {
    return this.#kept[lesson]?.step;
  }

  done(lesson: string, task: string): void {
    if (this.isDone(lesson, task)) return;
    const before = this.#kept[lesson];
    this.#kept[lesson] = { step: before?.step ?? 1, done: [...(before?.done ?? []), task] };
    this.#keep();
  }

  at(lesson: string, step: number): void {
    if (this.step(lesson) === step) return;
    this.#kept[lesson] = { done: this.#kept[lesson]?.done ?? [], step };
    this.#keep();
  }

  /** Forgets a lesson. */
  forget(lesson: string): void {
    delete this.#kept[lesson];
    this.#keep();
  }

  #keep(): void {
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#kept));
      this.lasting = true;
    } catch {
      // It lasts as long as the page does.
      this.lasting = false;
    }
  }
}

export const progress = new Progress();
