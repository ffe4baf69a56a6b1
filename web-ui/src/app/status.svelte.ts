// What the page has to say by itself: spoken (for screen readers), and as notes in the corner.

import { untrack } from "svelte";

export type NoteKind = "info" | "success" | "error";

export interface Note {
  id: number;
  kind: NoteKind;
  text: string;
  /** A further sentence. */
  detail?: string;
  action?: { label: string; run: () => void };
}

const SHOWN_MS = 6000;

class Status {
  /** Read out by screen readers when it changes. */
  spoken = $state("");
  notes: Note[] = $state([]);
  #next = 0;

  /** Says something to those who listen, without showing it. */
  say(text: string) {
    // The same text again is a change only if it differs. Who says it does not wait for what is said.
    this.spoken = untrack(() => this.spoken) === text ? `${text}\u00a0` : text;
  }

  /** Shows a note. Errors stay until they are closed, and so do notes with something to do. */
  note(kind: NoteKind, text: string, more: { detail?: string; action?: Note["action"] } = {}): number {
    const id = this.#next++;
    this.notes.push({ id, kind, text, ...more });
    if (kind !== "error" && !more.action) setTimeout(() => this.close(id), SHOWN_MS);
    return id;
  }

  close(id: number) {
    this.notes = this.notes.filter((note) => note.id !== id);
  }
}

export const status = new Status();
