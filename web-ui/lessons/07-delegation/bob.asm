; Passes the page on to carol, and reads it.

        .global init_module

        .equ    PAGE, 3
        .equ    CAROL, 6

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     qword ptr [rbx], CAROL
        mov     qword ptr [rbx + 8], PAGE
        mov     qword ptr [rbx + 16], 3
        mov     qword ptr [rbx + 24], LCD_READ
        mov     qword ptr [rbx + 32], 0
        hypercall cap_grant
        mov     qword ptr [rbx], CAROL
        hypercall domain_run

        mov     ebp, 0x40000000
        mov     qword ptr [rbx], PAGE
        mov     [rbx + 8], rbp
        mov     qword ptr [rbx + 16], LCD_READ
        hypercall page_map
        mov     ecx, 4
again:  mov     rdx, [rbp]
        hypercall yield
        dec     ecx
        jnz     again
        mov     eax, 0
        ret
