; Owns a page. Gives it to bob, who may pass it on, and to dora. Then bob is not to have it any more,
; nor anybody who has it from bob. Dora keeps it.

        .global init_module
        .equ    CAP_DELETE, 0
        .equ    CAP_REVOKE, 1
        .equ    CAP_GRANT, 2
        .equ    DOMAIN_RUN, 7
        .equ    YIELD, 33
        .equ    CAP_COPY, 34
        .equ    READ, 1
        .equ    GRANT, 8

        .equ    PAGE, 5
        .equ    BOB, 6
        .equ    DORA, 7
        .equ    THEIR_SLOT, 3

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     ebp, 0x40000000
        mov     qword ptr [rbp], 7

        mov     edi, BOB
        mov     esi, PAGE
        mov     edx, READ + GRANT
        call    give
        mov     edi, DORA
        mov     esi, PAGE
        mov     edx, READ
        call    give

        mov     ecx, 3                  ; time for the others to read
wait1:  call    yield
        dec     ecx
        jnz     wait1

        mov     qword ptr [rbx], PAGE   ; take the page back from bob
        mov     eax, CAP_REVOKE
        out     0xe0, eax

        mov     ecx, 3                  ; time for the others to read again
wait2:  call    yield
        dec     ecx
        jnz     wait2
        mov     rax, [rbp]
        ret

; Grants the capability in slot esi to domain edi, with rights edx, and starts the domain.
give:   mov     [rbx], rdi
        mov     [rbx + 8], rsi
        mov     qword ptr [rbx + 16], THEIR_SLOT
        mov     [rbx + 24], rdx
        mov     qword ptr [rbx + 32], 0
        mov     eax, CAP_GRANT
        out     0xe0, eax
        mov     [rbx], rdi
        mov     eax, DOMAIN_RUN
        out     0xe0, eax
        ret

yield:  mov     eax, YIELD
        out     0xe0, eax
        ret
