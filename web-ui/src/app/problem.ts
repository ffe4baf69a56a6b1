// What went wrong, for people: what, where, and what to do about it.

export interface Problem {
  what: string;
  where?: string;
  todo?: string;
}

/** An error that says more than its message. */
export class Trouble extends Error implements Problem {
  readonly where?: string;
  readonly todo?: string;

  constructor(problem: Problem, options?: ErrorOptions) {
    super(problem.what, options);
    this.name = "Trouble";
    this.where = problem.where;
    this.todo = problem.todo;
  }

  get what(): string {
    return this.message;
  }
}

/** Anything that was thrown, as a problem. */
export function problemOf(thrown: unknown, where?: string): Problem {
  if (thrown instanceof Trouble) return { what: thrown.what, where: thrown.where ?? where, todo: thrown.todo };
  if (thrown instanceof Error) return { what: thrown.message || thrown.name, where };
  return { what: String(thrown), where };
}
