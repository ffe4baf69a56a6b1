; Two domains run this. Each is called with its own number, in rdi.

        .global init_module

init_module:
        mov     ebx, 0x40000000
        mov     [rbx], rdi              ; write the number
        hypercall yield                 ; let the other domain do the same
look:   mov     rax, [rbx]              ; what is there now?
        ret
