// Server-sent events, read from a response: an EventSource cannot send a token.

export interface ServerEvent {
  event: string;
  data: string;
}

/** Takes text as it comes and gives the events that are complete. */
export class EventParser {
  /** Of the last event that had one: where to go on from. */
  lastId: string | undefined;
  /** Milliseconds to wait before connecting again, if the server said so. */
  retry: number | undefined;
  #rest = "";
  #event = "";
  #data: string[] = [];
  /** Of the event that is being read: it counts once the event is complete. */
  #id: string | undefined;

  push(text: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    // A carriage return at the end may be the first half of a line's end.
    const all = this.#rest + text;
    const held = all.endsWith("\r") ? 1 : 0;
    const lines = all.slice(0, all.length - held).split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? "") + (held ? "\r" : "");
    for (const line of lines) {
      const event = this.#line(line);
      if (event) events.push(event);
    }
    return events;
  }

  #line(line: string): ServerEvent | undefined {
    if (line === "") return this.#complete();
    const colon = line.indexOf(":");
    if (colon === 0) return undefined;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
    return undefined;
  }

  #complete(): ServerEvent | undefined {
    const event = this.#event || "message";
    const data = this.#data;
    this.#event = "";
    this.#data = [];
    if (this.#id !== undefined) this.lastId = this.#id;
    this.#id = undefined;
    return data.length > 0 ? { event, data: data.join("\n") } : undefined;
  }
}
