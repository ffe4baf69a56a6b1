; Puts a number into its page, grants the page to the child, starts the child, and returns the
; number that is in the page afterwards.

        .global init_module

        .equ    PAGE, 5
        .equ    CHILD, 6
        .equ    CHILDS_SLOT, 3

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     ebp, 0x40000000         ; the page
        mov     qword ptr [rbp], 7

        mov     qword ptr [rbx], CHILD
        mov     qword ptr [rbx + 8], PAGE
        mov     qword ptr [rbx + 16], CHILDS_SLOT
        mov     qword ptr [rbx + 24], LCD_READ
        mov     qword ptr [rbx + 32], 0
        hypercall cap_grant

        mov     qword ptr [rbx], CHILD
        hypercall domain_run

        hypercall yield                 ; now the child runs
        mov     rax, [rbp]
        ret
