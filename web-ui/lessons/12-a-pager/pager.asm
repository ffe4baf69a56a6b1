; Receives the worker's faults. A fault is a call: whoever answers it decides what happens.
;
; Message registers of a fault: 0 what it is, 1 the address, 2 the right that is missing, 3 the
; instruction, 4 the thread, 5 an error code, 6 the guest-physical address.

        .global init_module

        .equ    GO_ON, 0                ; answers to a fault: try again,
        .equ    END, 1                  ; or end the thread

        .equ    FAULTS, 5
        .equ    WORKER, 6

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     r12d, 8                 ; the slot for the next page
        mov     qword ptr [rbx + LCD_UTCB_ENDPOINT], FAULTS
        mov     qword ptr [rbx + LCD_UTCB_TIMEOUT], 0
next:   hypercall sync_receive
        cmp     qword ptr [rbx + LCD_UTCB_STATUS], 0  ; the status
        jne     done                    ; nobody can fault any more
        mov     r13, [rbx + 48]         ; where the page is missing
        and     r13, -4096

        mov     [rbx], r12              ; a new page
        mov     qword ptr [rbx + 8], LCD_READ + LCD_WRITE + LCD_GRANT
        mov     qword ptr [rbx + 16], 0
        hypercall page_allocate

        ; The page is the pager's. Give it to the worker, at the address in r13: your code.

        inc     r12
        mov     qword ptr [rbx], END
        hypercall sync_reply
        jmp     next

done:   mov     eax, 0
        ret
