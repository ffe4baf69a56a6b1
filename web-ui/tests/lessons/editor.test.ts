// What the editor knows of the assembler's language, against the assembler.

import { describe, expect, it } from "vitest";
import { CONSTANTS, DIRECTIVES, MNEMONICS, REGISTERS } from "../../src/editor/words";
import { ARGUMENTS } from "../../src/log/hypercalls";
import { SCRATCH } from "../../src/editor/scratch";
import { assemble, bundle, Run, unavailable } from "./site";

/** What is wrong with a text, if anything. */
function complaint(text: string): string {
  try {
    assemble("words.asm", `${text}\n`);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

describe.skipIf(unavailable())("the editor's words", () => {
  it("are the assembler's", () => {
    expect(complaint("movv rax, 1")).toMatch(/no instruction/);
    for (const word of MNEMONICS) expect(complaint(`        ${word}`), word).not.toMatch(/no instruction/);
    for (const name of Object.keys(CONSTANTS)) expect(complaint(`        mov rax, ${name}`), name).toBe("");
    for (const name of Object.keys(ARGUMENTS)) expect(complaint(`        hypercall ${name}`), name).toBe("");
    for (const name of Object.keys(DIRECTIVES)) expect(complaint(`        ${name}`), name).not.toMatch(/no directive/);
    for (const name of REGISTERS) expect(complaint(`        mov [rax], ${name}`), name).not.toMatch(/nothing is called/);
  });

  it("make the program to begin with", () => {
    const [program, world] = SCRATCH;
    const run = new Run(bundle(world!.text, [{ name: "main.ko", bytes: assemble(program!.name, program!.text) }])).end();
    expect(run.log().flatMap((event) => (event.call === "console_put" ? [event.text] : []))).toEqual(["h", "i"]);
  });
});
