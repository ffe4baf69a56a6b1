; Receives a message, maps the page that came along, and reads at the address from the message.

        .global init_module

        .equ    LINE, 5
        .equ    ARRIVED, 8              ; where a capability may arrive

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     qword ptr [rbx + LCD_UTCB_CAPABILITY], ARRIVED  ; capability register 0
        mov     qword ptr [rbx + LCD_UTCB_ENDPOINT], LINE
        mov     qword ptr [rbx + LCD_UTCB_TIMEOUT], 0
        hypercall sync_receive
got:    mov     rbp, [rbx]              ; the address
        mov     r13, [rbx + 8]          ; the number
        mov     r14, [rbx + LCD_UTCB_BUFFER]  ; our buffer

        mov     qword ptr [rbx], ARRIVED
        mov     [rbx + 8], rbp
        mov     qword ptr [rbx + 16], LCD_READ
        hypercall page_map
read:   mov     rax, [rbp]
        ret
