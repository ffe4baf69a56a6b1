; Puts a number into its page and tells the server where it is.

        .global init_module
        .equ    SYNC_SEND, 9

        .equ    LINE, 5
        .equ    PAGE, 6

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     ebp, 0x40000000         ; the page
        mov     qword ptr [rbp], 77
        mov     r12, 1234               ; does a processor register cross?

        mov     [rbx], rbp              ; message register 0: the address
        mov     qword ptr [rbx + 8], 55 ; message register 1: a number
        mov     qword ptr [rbx + 256], 66       ; does the buffer cross?
                                        ; capability register 0 is at rbx + 64
        mov     qword ptr [rbx + 136], LINE
        mov     qword ptr [rbx + 144], 0
        mov     eax, SYNC_SEND
        out     0xe0, eax
        mov     eax, 0
        ret
