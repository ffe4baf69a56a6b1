; Puts a number into its page, grants the page to the child, starts the child, and returns the
; number that is in the page afterwards.

        .global init_module
        .equ    CAP_GRANT, 2
        .equ    DOMAIN_RUN, 7
        .equ    YIELD, 33
        .equ    READ, 1
        .equ    WRITE, 2

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
        mov     qword ptr [rbx + 24], READ + WRITE
        mov     qword ptr [rbx + 32], 0
        mov     eax, CAP_GRANT
        out     0xe0, eax

        mov     qword ptr [rbx], CHILD
        mov     eax, DOMAIN_RUN
        out     0xe0, eax

        mov     eax, YIELD
        out     0xe0, eax               ; now the child runs
        mov     rax, [rbp]
        ret
