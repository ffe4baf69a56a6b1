; Writes a number to memory and reads it back.

        .global init_module

init_module:
        mov     ebx, 8
store:  mov     qword ptr [rbx], 42
        mov     rax, [rbx]
        ret
