// Logs that the reader opened from files, on their way to the view that shows them.

export interface OpenedLog {
  name: string;
  /** JSON lines: a header, events, perhaps a result. */
  bytes: Uint8Array;
}

class Opened {
  logs: OpenedLog[] = $state.raw([]);
}

export const opened = new Opened();
