// Calls into a worker: one message there, one back.

export type Handlers = Record<string, (...given: never[]) => unknown>;

interface Call {
  id: number;
  name: string;
  given: unknown[];
}

type Answer = { id: number; value: unknown } | { id: number; error: string } | { told: unknown };

/** What a worker offers, as the page sees it. */
export type Remote<T extends Handlers> = {
  [K in keyof T]: (...given: Parameters<T[K]>) => Promise<Awaited<ReturnType<T[K]>>>;
};

/** In the worker: answers calls. Returns a way to tell the page something that it did not ask. */
export function serve(handlers: Handlers): (told: unknown) => void {
  self.addEventListener("message", async (event: MessageEvent<Call>) => {
    const { id, name, given } = event.data;
    try {
      const handler = handlers[name];
      if (!handler) throw new Error(`no call is named ${name}`);
      const value = await handler(...(given as never[]));
      self.postMessage({ id, value } satisfies Answer);
    } catch (error) {
      self.postMessage({ id, error: error instanceof Error ? error.message : String(error) } satisfies Answer);
    }
  });
  return (told) => self.postMessage({ told } satisfies Answer);
}

/** In the page: a worker's calls as functions. `heard` gets what the worker tells unasked. */
export function connect<T extends Handlers>(
  worker: Worker,
  heard: (told: never) => void = () => {},
): Remote<T> {
  const waiting = new Map<number, { done: (value: unknown) => void; failed: (error: Error) => void }>();
  let next = 0;
  worker.addEventListener("message", (event: MessageEvent<Answer>) => {
    const answer = event.data;
    if ("told" in answer) return heard(answer.told as never);
    const caller = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ("error" in answer) caller?.failed(new Error(answer.error));
    else caller?.done(answer.value);
  });
  worker.addEventListener("error", (event) => {
    for (const caller of waiting.values()) caller.failed(new Error(event.message || "the worker failed"));
    waiting.clear();
  });
  return new Proxy({} as Remote<T>, {
    get: (_, name) =>
      typeof name !== "string" || name === "then"
        ? undefined
        : (...given: unknown[]) =>
            new Promise((done, failed) => {
              const id = next++;
              waiting.set(id, { done, failed });
              worker.postMessage({ id, name, given } satisfies Call);
            }),
  });
}
