; Puts a number into its page and tells the server where it is.

        .global init_module

        .equ    LINE, 5
        .equ    PAGE, 6

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     ebp, 0x40000000         ; the page
        mov     qword ptr [rbp], 77
        mov     r12d, 1234              ; does a processor register cross?

        mov     [rbx], rbp              ; message register 0: the address
        mov     qword ptr [rbx + 8], 55 ; message register 1: a number
        mov     qword ptr [rbx + LCD_UTCB_BUFFER], 66  ; does the buffer cross?
                                        ; capability register 0 is at rbx + LCD_UTCB_CAPABILITY
        mov     qword ptr [rbx + LCD_UTCB_ENDPOINT], LINE
        mov     qword ptr [rbx + LCD_UTCB_TIMEOUT], 0
        hypercall sync_send
        mov     eax, 0
        ret
