// The text editor itself: CodeMirror, with what this page needs of it. Loaded when somebody edits.

import { autocompletion, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import {
  drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { Complaint } from "../workbench/protocol";
import { complete } from "./complete";
import { ASSEMBLY, TOML } from "./languages";

export interface Given {
  /** Where it goes: a shadow root, because only there CodeMirror's styles are sheets made by script,
   * which the page's policy allows; in a document they would be an element in the page's head. */
  parent: ShadowRoot;
  name: string;
  text: string;
  readonly: boolean;
  changed(text: string): void;
  /** Ctrl+Enter. */
  run(): void;
}

export interface Code {
  readonly text: string;
  /** Another text in its place, if it is another. */
  replace(text: string): void;
  complaints(list: Complaint[]): void;
  goTo(line: number, column: number): void;
  destroy(): void;
}

const COLOURS = HighlightStyle.define([
  { tag: [tags.keyword, tags.heading], color: "var(--code-keyword)" },
  { tag: [tags.labelName, tags.variableName, tags.propertyName], color: "var(--code-name)" },
  { tag: [tags.number, tags.atom], color: "var(--code-number)" },
  { tag: tags.string, color: "var(--code-string)" },
  { tag: [tags.comment, tags.meta], color: "var(--code-comment)" },
  { tag: tags.typeName, color: "var(--text-muted)" },
]);

const LOOK = EditorView.theme({
  "&": { backgroundColor: "var(--surface)", color: "var(--text)", fontSize: "var(--t-s)", height: "100%" },
  "&.cm-focused": { outline: "2px solid var(--focus)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55", fontVariantLigatures: "none" },
  ".cm-content": { caretColor: "var(--text)", paddingBlock: "var(--s2)" },
  ".cm-cursor": { borderLeftColor: "var(--text)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--surface-sunken)", borderColor: "var(--border)", color: "var(--text-faint)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--hover) 55%, transparent)" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": {
    backgroundColor: "var(--selected)",
  },
  ".cm-matchingBracket": { backgroundColor: "var(--mark)", color: "inherit" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--diverge)", textUnderlineOffset: "0.25em" },
  ".cm-tooltip": {
    backgroundColor: "var(--surface-raised)", borderColor: "var(--border-strong)", borderRadius: "var(--radius-s)",
    boxShadow: "var(--shadow-raised)", color: "var(--text)",
  },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--selected)", color: "var(--text)" },
  ".cm-completionDetail": { color: "var(--text-muted)", fontStyle: "normal" },
  ".cm-diagnostic": { fontFamily: "var(--sans)", maxWidth: "30rem", whiteSpace: "pre-wrap" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--diverge)" },
});

export function open({ parent, name, text, readonly, changed, run }: Given): Code {
  const language = name.endsWith(".toml") ? TOML : ASSEMBLY;
  const view = new EditorView({
    parent,
    root: parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        lintGutter(),
        highlightActiveLineGutter(),
        highlightActiveLine(),
        history(),
        drawSelection(),
        bracketMatching(),
        language,
        syntaxHighlighting(COLOURS),
        indentUnit.of("        "),
        EditorState.tabSize.of(8),
        EditorState.readOnly.of(readonly),
        autocompletion({ override: [name.endsWith(".toml") ? () => null : complete], icons: false }),
        EditorView.contentAttributes.of({ "aria-label": `${name}, text. Escape, then Tab, leaves the editor.` }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) changed(update.state.doc.toString());
        }),
        keymap.of([
          { key: "Mod-Enter", run: () => (run(), true), preventDefault: true },
          ...completionKeymap, ...lintKeymap, ...defaultKeymap, ...historyKeymap, indentWithTab,
        ]),
        LOOK,
      ],
    }),
  });
  return {
    get text() {
      return view.state.doc.toString();
    },
    replace(text) {
      if (text === view.state.doc.toString()) return;
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
    },
    complaints(list) {
      view.dispatch(setDiagnostics(view.state, list.map((complaint) => diagnostic(view.state, complaint))));
    },
    goTo(line, column) {
      const at = place(view.state, line, column);
      view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: "center" }) });
      view.focus();
    },
    destroy: () => view.destroy(),
  };
}

/** A place, as far as the text still has it: it may have been about an older text. Columns count
 * characters, positions in the editor UTF-16 units. */
function place({ doc }: EditorState, line: number, column: number): number {
  const { from, text } = doc.line(Math.min(Math.max(line, 1), doc.lines));
  return from + Array.from(text).slice(0, Math.max(0, column - 1)).join("").length;
}

function diagnostic(state: EditorState, { line, column, length, message }: Complaint): Diagnostic {
  const from = place(state, line, column);
  const end = state.doc.lineAt(from).to;
  const to = Math.min(Math.max(place(state, line, column + length), Math.min(from + 1, end)), end);
  return { from, to, severity: "error", message };
}
