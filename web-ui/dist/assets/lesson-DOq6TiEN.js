var e={name:`11-a-crashing-driver`,title:`A crashing driver and its neighbours`,summary:`A driver divides by zero. Who is hurt, who is told, and who does not notice?`,order:11,steps:3,tasks:[`crash`,`notice`,`repair`],pages:[{title:`A bad question`,blocks:[{html:`<p>In an ordinary kernel a driver that divides by zero takes the machine with it. Here it is a domain.</p>
<p>The client asks the driver two questions: how many pieces of 512 bytes are in 4096, and how many of 0
bytes. The neighbour has nothing to do with either, and counts to 1000. Click <button type="button" class="do" data-do="lab:run">run</button>.</p>
`},{task:`crash`},{html:`<p>The driver&#39;s thread ended. Its memory, its endpoint&#39;s queue and its debts were settled: the client,
which waited for an answer, was told that none will come. The neighbour has noticed nothing.</p>
`}]},{title:`Being told is not enough`,blocks:[{html:`<p>The client returned 8: the first answer is 8, and it took the second to be 0. It was told that the call
had failed, and did not look.</p>
<p><button type="button" class="do" data-do="lab:edit/client.asm">Open the client&#39;s program</button>.</p>
`},{task:`notice`},{html:``}]},{title:`Repair the driver`,blocks:[{html:`<p>Press <strong>Reset</strong>, and now see to <button type="button" class="do" data-do="lab:edit/driver.asm">the driver</button>.</p>
`},{task:`repair`}]}],checks:[{id:`crash`,title:`Investigate the crash`,hints:[`Run to the end. The event that says how driver ended also says where: in driver.ko!…`,`The client's second sync_call waits. Soon after the crash an event says that sync_call is over, and how.`],edit:!1,events:[{find:{domain:`driver`,event:`ended`,end:{reason:`exception`}},else:`The driver has not crashed yet.`}],never:[],count:[],console:[],questions:[{ask:`At which label is the instruction that crashed?`,answers:[`divide`,`driver!divide`,`driver.ko!divide`,`divide+0x0`],else:`The event that says how driver ended names it at the end.`},{ask:`With which status does the client's call end?`,answers:[`peer_died`,`peer died`,`-32`],else:`Look at the client's event after the crash: sync_call is over.`},{ask:`What does neighbour return?`,answers:[1e3],else:`Look at how neighbour ended.`}]},{id:`notice`,title:`Let the client notice: make it return the status of the call that failed`,hints:[`After a hypercall, the status is at rbx + LCD_UTCB_STATUS: 0 if all is well.`,`After the second call ask: compare qword ptr [rbx + LCD_UTCB_STATUS] with 0, and jump to where rax is loaded from there.`],edit:!0,events:[{find:{domain:`driver`,event:`ended`,end:{reason:`exception`}},else:`The driver is to crash in this task: repair the client.`},{find:{domain:`client`,event:`completed`,call:`sync_call`,status:`peer_died`},else:`The client's call did not fail.`},{find:{domain:`client`,event:`ended`,end:{reason:`exit`,value:-32}},else:`The client does not return -32: it still takes what happens to be in the message register for an answer.`}],never:[],count:[],console:[],questions:[]},{id:`repair`,title:`Repair the driver: it answers 0 to a bad question, and nobody crashes`,hints:[`Before the division, compare qword ptr [rbx] with 0, and if it is, jump over the division.`,`Message register 0 is 0 then, and that is the answer.`],edit:!0,events:[{find:{domain:`client`,event:`message`,received:`call`,words:[0]},else:`The client does not ask the bad question any more: that is not a repair.`},{find:{domain:`driver`,event:`message`,words:[0]},else:`The driver does not answer 0.`},{find:{domain:`client`,event:`ended`,end:{reason:`exit`,value:8}},else:`The client does not return 8, the sum of both answers.`}],never:[{find:{event:`ended`,end:{reason:{not:`exit`}}},else:`Somebody still crashes.`}],count:[],console:[],questions:[]}],world:`name = "a-crashing-driver"
about = "A driver crashes while a client waits for it; a neighbour does not notice"

[[endpoint]]
name = "requests"

[[domain]]
name = "driver"
module = "driver.ko"
caps = [{ slot = 5, object = "requests", rights = "r" }]

[[domain]]
name = "client"
module = "client.ko"
caps = [{ slot = 5, object = "requests", rights = "wc" }]

[[domain]]
name = "neighbour"
module = "neighbour.ko"
pages = [{ slot = 5, rights = "rw", at = 0x4000_0000 }]
`,sources:[{name:`driver.asm`,text:`; Answers requests: how many pieces of m0 bytes fit into 4096?

        .global init_module

        .equ    REQUESTS, 5

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     qword ptr [rbx + LCD_UTCB_ENDPOINT], REQUESTS
        mov     qword ptr [rbx + LCD_UTCB_TIMEOUT], 0
next:   hypercall sync_receive
        cmp     qword ptr [rbx + LCD_UTCB_STATUS], 0  ; the status
        jne     done                    ; nobody can call any more

        mov     eax, 4096
        mov     edx, 0
divide: div     qword ptr [rbx]
        mov     [rbx], rax

        hypercall sync_reply
        jmp     next

done:   mov     eax, 0
        ret
`},{name:`client.asm`,text:`; Asks the driver twice, and returns the sum of the answers. The second question is a bad one.

        .global init_module

        .equ    REQUESTS, 5

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     edi, 512
        call    ask
        mov     r12, rax
        mov     edi, 0
        call    ask
        add     rax, r12
        ret

; Asks with rdi. The answer is in rax.
ask:    mov     qword ptr [rbx + LCD_UTCB_ENDPOINT], REQUESTS
        mov     qword ptr [rbx + LCD_UTCB_TIMEOUT], 0
        mov     [rbx], rdi
        hypercall sync_call
        mov     rax, [rbx]              ; the answer; the status is at rbx + LCD_UTCB_STATUS
        ret
`},{name:`neighbour.asm`,text:`; Counts to 1000 in its own page, and lets the others work between.

        .global init_module

init_module:
        mov     ebp, 0x40000000
count:  inc     qword ptr [rbp]
        test    qword ptr [rbp], 127
        jnz     more
        hypercall yield
more:   cmp     qword ptr [rbp], 1000
        jb      count
        mov     rax, [rbp]
        ret
`}],listings:[],plants:[],views:[`code`,`graph`,`log`],modules:[]};export{e as default};