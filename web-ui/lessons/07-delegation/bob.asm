; Passes the page on to carol, and reads it.

        .global init_module
        .equ    CAP_GRANT, 2
        .equ    DOMAIN_RUN, 7
        .equ    PAGE_MAP, 18
        .equ    YIELD, 33
        .equ    READ, 1

        .equ    PAGE, 3
        .equ    CAROL, 6

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     qword ptr [rbx], CAROL
        mov     qword ptr [rbx + 8], PAGE
        mov     qword ptr [rbx + 16], 3
        mov     qword ptr [rbx + 24], READ
        mov     qword ptr [rbx + 32], 0
        mov     eax, CAP_GRANT
        out     0xe0, eax
        mov     qword ptr [rbx], CAROL
        mov     eax, DOMAIN_RUN
        out     0xe0, eax

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
