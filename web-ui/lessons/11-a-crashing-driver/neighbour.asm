; Counts to 1000 in its own page, and lets the others work between.

        .global init_module

init_module:
        mov     ebp, 0x40000000
count:  inc     qword ptr [rbp]
        test    qword ptr [rbp], 127
        jnz     more
        hypercall yield
more:   cmp     qword ptr [rbp], 1000
        jb      count
        mov     rax, [rbp]
        ret
