; Reads the page that it was given twice, and lets the parent work between.

        .global init_module
        .equ    PAGE_MAP, 18
        .equ    YIELD, 33
        .equ    READ, 1

        .equ    PAGE, 3

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     ebp, 0x40003000
        mov     qword ptr [rbx], PAGE
        mov     [rbx + 8], rbp
        mov     qword ptr [rbx + 16], READ
        mov     eax, PAGE_MAP
        out     0xe0, eax
first:  mov     rax, [rbp]
        mov     eax, YIELD
        out     0xe0, eax
second: mov     rax, [rbp]
        ret
