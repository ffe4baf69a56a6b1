// Following a stream of the server for as long as somebody wants to: connects again after it is cut
// off, and goes on where it was.

import { parse } from "../json";
import { ask, Refusal, type Query } from "./request";
import { EventParser } from "./sse";

export interface Following {
  /** For each event. `data` is its JSON, parsed. */
  heard: (event: string, data: unknown) => void;
  /** Whether there is a connection now: whatever happens from then on is heard. */
  connected?: (yes: boolean) => void;
  /** It will not go on: the server refused. */
  failed?: (error: unknown) => void;
  query?: Query;
}

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
/** Something comes every 15 s; who hears nothing for so long has lost the connection. */
const SILENCE_MS = 40_000;

/** A page that nobody sees gives its connection back after a while: browsers have six for a server,
 * whatever the number of their tabs. */
const UNSEEN_MS = 5000;

/** Follows until the returned function is called, or the stream is over (`end`). */
export function follow(path: string, { heard, connected, failed, query }: Following): () => void {
  const stop = new AbortController();
  const parser = { last: undefined as string | undefined };
  void (async () => {
    let wait = FIRST_WAIT_MS;
    while (!stop.signal.aborted) {
      await seen(stop.signal);
      if (stop.signal.aborted) return;
      const unseen = whenUnseen();
      try {
        const ended = await once(path, query, parser, AbortSignal.any([stop.signal, unseen.signal]), (event, data) => {
          wait = FIRST_WAIT_MS;
          heard(event, data);
        }, () => connected?.(true));
        if (ended) return;
      } catch (error) {
        if (stop.signal.aborted) return;
        if (unseen.signal.aborted) continue;
        // Too many streams, or a server that is ending: that passes. Other refusals do not.
        if (error instanceof Refusal && error.status !== 429 && error.status < 500) {
          failed?.(error);
          return;
        }
      } finally {
        unseen.end();
        if (!stop.signal.aborted) connected?.(false);
      }
      if (unseen.signal.aborted) continue;
      await pause(wait * (0.75 + Math.random() / 2), stop.signal);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  })();
  return () => stop.abort();
}

/** One connection; says whether the stream is over for good. */
async function once(
  path: string,
  query: Query | undefined,
  seen: { last: string | undefined },
  stop: AbortSignal,
  heard: Following["heard"],
  opened: () => void,
): Promise<boolean> {
  const silent = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const awake = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silent.abort(), SILENCE_MS);
  };
  awake();
  try {
    const response = await ask(path, {
      query,
      signal: AbortSignal.any([stop, silent.signal]),
      headers: { Accept: "text/event-stream", ...(seen.last !== undefined && { "Last-Event-ID": seen.last }) },
    });
    if (response.status === 204 || !response.body) return true;
    const parser = new EventParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let first = true; ; first = false) {
      const { done, value } = await reader.read();
      if (done) return false;
      // The server greets when it has begun to watch: nothing is missed from here on.
      if (first) opened();
      awake();
      for (const event of parser.push(value)) {
        seen.last = parser.lastId ?? seen.last;
        heard(event.event, data(event.data));
        if (event.event === "end") return true;
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Until the page can be seen. */
function seen(stop: AbortSignal): Promise<void> {
  if (document.visibilityState !== "hidden") return Promise.resolve();
  return new Promise((done) => {
    document.addEventListener("visibilitychange", () => done(), { once: true, signal: stop });
    stop.addEventListener("abort", () => done(), { once: true });
  });
}

/** A signal for the page having been out of sight for a while. */
function whenUnseen(): { signal: AbortSignal; end: () => void } {
  const unseen = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const changed = () => {
    clearTimeout(timer);
    if (document.visibilityState === "hidden") timer = setTimeout(() => unseen.abort(), UNSEEN_MS);
  };
  document.addEventListener("visibilitychange", changed);
  changed();
  return {
    signal: unseen.signal,
    end: () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", changed);
    },
  };
}

function data(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

const pause = (milliseconds: number, stop: AbortSignal): Promise<void> =>
  new Promise((done) => {
    const timer = setTimeout(done, milliseconds);
    stop.addEventListener("abort", () => {
      clearTimeout(timer);
      done();
    });
  });
