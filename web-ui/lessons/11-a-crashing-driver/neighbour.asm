; Counts to 1000 in its own page, and lets the others work between.

        .global init_module
        .equ    YIELD, 33

init_module:
        mov     ebp, 0x40000000
count:  inc     qword ptr [rbp]
        test    qword ptr [rbp], 127
        jnz     more
        mov     eax, YIELD
        out     0xe0, eax
more:   cmp     qword ptr [rbp], 1000
        jb      count
        mov     rax, [rbp]
        ret
