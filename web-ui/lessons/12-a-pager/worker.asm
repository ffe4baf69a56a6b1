; Writes to four pages, none of which it has, and adds up what it wrote.

        .global init_module

init_module:
        mov     ebp, 0x40000000
        mov     ecx, 4
        mov     eax, 0
touch:  mov     [rbp], rcx
        add     rax, [rbp]
        add     rbp, 0x1000
        dec     ecx
        jnz     touch
        ret
