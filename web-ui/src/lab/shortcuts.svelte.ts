// Keys that work anywhere in the laboratory, unless somebody types.

import type { Laboratory } from "./laboratory";

export interface Shortcut {
  keys: string;
  says: string;
  does: (lab: Laboratory) => unknown;
}

export const SHORTCUTS: Shortcut[] = [
  { keys: "r", says: "Run, or pause", does: (lab) => (lab.running ? lab.pause() : lab.run()) },
  { keys: "i", says: "Forward one instruction", does: (lab) => lab.step("instruction") },
  { keys: "h", says: "Forward to after the next hypercall", does: (lab) => lab.step("hypercall") },
  { keys: "e", says: "Forward to the next event", does: (lab) => lab.step("event") },
  { keys: "I", says: "Back one instruction", does: (lab) => lab.back("instruction") },
  { keys: "H", says: "Back to after the hypercall before", does: (lab) => lab.back("hypercall") },
  { keys: "E", says: "Back to the event before", does: (lab) => lab.back("event") },
  { keys: "[", says: "To the start", does: (lab) => lab.goTo("start") },
  { keys: "]", says: "To the end", does: (lab) => lab.goTo("end") },
];

const KEY = "lcd.lab.keys";

class Keys {
  on = $state(kept());

  turn(on: boolean): void {
    this.on = on;
    try {
      localStorage.setItem(KEY, String(on));
    } catch {
      // Then it is forgotten.
    }
  }
}

function kept(): boolean {
  try {
    return localStorage.getItem(KEY) !== "false";
  } catch {
    return true;
  }
}

/** Whether keys are shortcuts at all: some people's aids type letters of their own. */
export const keys = new Keys();

export function pressed(event: KeyboardEvent, lab: Laboratory): void {
  if (!keys.on || event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
  // The editor is in a tree of its own, of which the event's target is only the root.
  const [inner] = event.composedPath();
  const target = inner instanceof Element ? inner : undefined;
  if (target?.closest("input:not([type=range], [type=checkbox]), textarea, select, [contenteditable], dialog")) return;
  const shortcut = SHORTCUTS.find((candidate) => candidate.keys === event.key);
  if (!shortcut || !lab.state) return;
  event.preventDefault();
  shortcut.does(lab);
}
