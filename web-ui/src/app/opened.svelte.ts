// Logs that the reader opened from files, on their way to the view that shows them.

export interface OpenedLog {
  name: string;
  /** JSON lines: a header, events, perhaps a result. */
  text: string;
}

export const opened: { logs: OpenedLog[] } = $state({ logs: [] });
