; A checksum. After each number it writes a letter that depends on all numbers so far.

        .global _start
        .equ    CONSOLE_PUT, 3
        .equ    EXIT, 8

_start: mov     rbx, gs:[0]             ; the UTCB
        lea     rsi, [rip + numbers]
        mov     edi, 12                 ; how many
        mov     r8d, 1                  ; the checksum

round:  mov     ecx, [rsi]
        add     r8d, ecx
        test    ecx, 1
        jz      even
odd:    lea     r8d, [r8 + r8*2]
        jmp     range
even:   mov     edx, r8d
        shr     edx, 7
        xor     r8d, edx

range:  cmp     ecx, 1000
        jb      letter
large:  rol     r8d, 3
carry:  add     r8d, 9
        xor     r8d, ecx

letter: mov     edx, r8d
        and     edx, 15
        add     edx, 97                 ; the letter a
        mov     [rbx], rdx
        mov     eax, CONSOLE_PUT
        out     0xe0, eax

        add     rsi, 4
        dec     edi
        jnz     round

        mov     [rbx], r8
        mov     eax, EXIT
        out     0xe0, eax
        jmp     .

numbers:
        .long   17, 4, 300, 12, 5, 222, 8, 4711, 90, 33, 2500, 6
