; Asks for its page to be mapped, and returns the microkernel's answer.

        .global init_module

        .equ    PAGE, 7                 ; the slot of the capability

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     qword ptr [rbx], PAGE
        mov     qword ptr [rbx + 8], 0x40000000
        mov     qword ptr [rbx + 16], LCD_READ + LCD_WRITE
        hypercall page_map
        mov     rax, [rbx + LCD_UTCB_STATUS]  ; the status
        ret
