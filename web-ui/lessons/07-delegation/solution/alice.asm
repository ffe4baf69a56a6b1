; Owns a page. Gives it to bob, who may pass it on, and to dora. Then bob is not to have it any more,
; nor anybody who has it from bob. Dora keeps it.

        .global init_module

        .equ    PAGE, 5
        .equ    COPY, 8
        .equ    BOB, 6
        .equ    DORA, 7
        .equ    THEIR_SLOT, 3

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     ebp, 0x40000000
        mov     qword ptr [rbp], 7

        mov     qword ptr [rbx], PAGE   ; a copy, from which bob's is derived
        mov     qword ptr [rbx + 8], COPY
        mov     qword ptr [rbx + 16], LCD_READ + LCD_GRANT
        mov     qword ptr [rbx + 24], 0
        hypercall cap_copy

        mov     edi, BOB
        mov     esi, COPY
        mov     edx, LCD_READ + LCD_GRANT
        call    give
        mov     edi, DORA
        mov     esi, PAGE
        mov     edx, LCD_READ
        call    give

        mov     ecx, 3                  ; time for the others to read
wait1:  call    yield
        dec     ecx
        jnz     wait1

        mov     qword ptr [rbx], COPY   ; take the page back from bob
        hypercall cap_revoke

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
        hypercall cap_grant
        mov     [rbx], rdi
        hypercall domain_run
        ret

yield:  hypercall yield
        ret
