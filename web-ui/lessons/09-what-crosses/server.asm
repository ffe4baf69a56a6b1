; Receives a message, maps the page that came along, and reads at the address from the message.

        .global init_module
        .equ    SYNC_RECEIVE, 10
        .equ    PAGE_MAP, 18
        .equ    READ, 1

        .equ    LINE, 5
        .equ    ARRIVED, 8              ; where a capability may arrive

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     qword ptr [rbx + 64], ARRIVED   ; capability register 0
        mov     qword ptr [rbx + 136], LINE
        mov     qword ptr [rbx + 144], 0
        mov     eax, SYNC_RECEIVE
        out     0xe0, eax
got:    mov     rbp, [rbx]              ; the address
        mov     r13, [rbx + 8]          ; the number
        mov     r14, [rbx + 256]        ; our buffer

        mov     qword ptr [rbx], ARRIVED
        mov     [rbx + 8], rbp
        mov     qword ptr [rbx + 16], READ
        mov     eax, PAGE_MAP
        out     0xe0, eax
read:   mov     rax, [rbp]
        ret
