var e={name:`12-a-pager`,title:`A pager`,summary:`A fault need not be the end: another domain can make it good.`,order:12,steps:3,tasks:[`message`,`page`,`faults`],pages:[{title:`A fault is a question`,blocks:[{html:`<p><code>worker</code> writes to four pages, and has none of them. But its world file says <code>faults = &quot;faults&quot;</code>: what
goes wrong in it is sent to an endpoint, as a call. The thread waits for the answer.</p>
<p><code>pager</code> receives there. Click <button type="button" class="do" data-do="lab:run">run</button>.</p>
`},{task:`message`},{html:``}]},{title:`Make it good`,blocks:[{html:`<p>The pager allocates a page, and then gives up. <button type="button" class="do" data-do="lab:edit/pager.asm">Open its program</button>: the page has to
get to the worker, and the worker has to go on. The instruction that faulted is executed again.</p>
`},{task:`page`},{html:``}]},{title:`How lazy memory works`,blocks:[{html:``},{task:`faults`},{html:`<p>The worker never knew. It wrote to memory, and memory was there. Operating systems lend memory to
programs in this way, a page at a time, when it is first touched. Here the one that decides is not the
kernel but a domain like any other, which needs nothing but two capabilities: to the endpoint, and to
the worker.</p>
`}]}],checks:[{id:`message`,title:`Read a fault`,hints:[`Run, and look for the event that begins with fault from … Its numbers are the message registers.`,`What each register means is in the comment at the top of pager.asm.`],edit:!1,events:[{find:{domain:`worker`,event:`faulted`},else:`The worker has not faulted yet.`}],never:[],count:[],console:[],questions:[{ask:`Which word (0 to 7) has the guest-physical address?`,answers:[6],else:`The comment at the top of pager.asm says what each word is.`},{ask:`What does the pager answer, go on or end?`,answers:[`end`,`1`],else:`Look at what pager.asm puts into message register 0 before it replies.`}]},{id:`page`,title:`Supply the pages: make worker return 10`,hints:[`memory_grant_and_map has five arguments: the domain, the pager's slot, the domain's slot, the address, the rights.`,`For the worker's slot the same number does: r12. The address is in r13, the rights are LCD_READ + LCD_WRITE.`,`And the answer to the fault has to be GO_ON.`],edit:!0,events:[{find:{domain:`pager`,event:`hypercall`,call:`memory_grant_and_map`,status:`ok`},else:`The pager has not mapped a page in the worker.`},{find:{domain:`worker`,event:`mapped`,page:`0x40003000`},else:`Not all four pages were supplied: the worker has to go on after each fault.`},{find:{domain:`worker`,event:`ended`,end:{reason:`exit`,value:10}},else:`The worker does not return 10.`}],never:[],count:[],console:[],questions:[]},{id:`faults`,title:`How often did it fault?`,hints:[`Above the events you can choose Faults, and the domain worker.`],edit:!1,events:[{find:{domain:`worker`,event:`ended`,end:{reason:`exit`,value:10}},else:`Do the task before this one first.`}],never:[],count:[],console:[],questions:[{ask:`How many faults did the worker have?`,answers:[4,`four`],else:`Choose worker and Faults above the events of the repaired run, and count.`}]}],world:`name = "a-pager"
about = "A domain's faults go to another domain, which supplies pages"

[[endpoint]]
name = "faults"

[[domain]]
name = "pager"
module = "pager.ko"
caps = [
    { slot = 5, object = "faults", rights = "r" },
    { slot = 6, object = "worker", rights = "w" },
]

[[domain]]
name = "worker"
module = "worker.ko"
faults = "faults"
`,sources:[{name:`worker.asm`,text:`; Writes to four pages, none of which it has, and adds up what it wrote.

        .global init_module

init_module:
        mov     ebp, 0x40000000
        mov     ecx, 4
        mov     eax, 0
touch:  mov     [rbp], rcx
        add     rax, [rbp]
        add     rbp, 0x1000
        dec     ecx
        jnz     touch
        ret
`},{name:`pager.asm`,text:`; Receives the worker's faults. A fault is a call: whoever answers it decides what happens.
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
`}],listings:[],plants:[],views:[`code`,`graph`,`log`],modules:[]};export{e as default};