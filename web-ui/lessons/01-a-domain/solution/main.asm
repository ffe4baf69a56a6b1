; A domain that says hello and ends.

        .global init_module

init_module:
        mov     rbx, gs:[0]             ; the UTCB: the page the microkernel reads
        lea     rdi, [rbx + LCD_UTCB_BUFFER]  ; its buffer
        lea     rsi, [rip + text]
        mov     ecx, 6
        rep movsb                       ; copy the text into the buffer
        mov     qword ptr [rbx], 6      ; message register 0: its length
        mov     eax, LCD_CALL_CONSOLE_WRITE
        out     0xe0, eax               ; the hypercall
        mov     eax, 42                 ; what the domain returns
        ret

text:   .ascii  "hello\n"
