// What somebody begins with who wants to write a program of their own.

import type { Text } from "../permalink";

const PROGRAM = `; A program of your own. What init_module leaves in rax is what the domain returns.

        .global init_module

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     qword ptr [rbx], 'h'    ; message register 0
        hypercall console_put
        mov     qword ptr [rbx], 'i'
        hypercall console_put
        mov     eax, 0
        ret
`;

const WORLD = `name = "scratch"
about = "A program of your own"

[[domain]]
name = "main"
module = "main.ko"
`;

export const SCRATCH: Text[] = [
  { name: "main.asm", text: PROGRAM },
  { name: "world.toml", text: WORLD },
];
