; Reads the page in slot 3 four times. carol and dora run this.

        .global init_module
        .equ    PAGE_MAP, 18
        .equ    YIELD, 33
        .equ    READ, 1

        .equ    PAGE, 3

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     ebp, 0x40000000
        mov     qword ptr [rbx], PAGE
        mov     [rbx + 8], rbp
        mov     qword ptr [rbx + 16], READ
        mov     eax, PAGE_MAP
        out     0xe0, eax
        mov     ecx, 4
again:  mov     rdx, [rbp]
        mov     eax, YIELD
        out     0xe0, eax
        dec     ecx
        jnz     again
        mov     eax, 0
        ret
