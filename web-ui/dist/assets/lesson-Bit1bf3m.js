var e={name:`08-call-and-reply`,title:`Call and reply`,summary:`Two domains meet at an endpoint: one asks, one answers, and one forgets to.`,order:8,steps:3,tasks:[`waiting`,`reply`],pages:[{title:`An endpoint`,blocks:[{html:`<p>Domains talk at <strong>endpoints</strong>. A domain with <code>r</code> on an endpoint can receive there, one with <code>w</code> can
send, and with <code>c</code> it can <em>call</em>: send, and wait for the answer.</p>
<p>The client calls with 21. The server doubles what it receives. Click <button type="button" class="do" data-do="lab:run">run</button>.</p>
`},{task:`waiting`},{html:`<p>The <strong>badge</strong> is a number in the client&#39;s capability that the client cannot change. The server sees it
with each message, and so knows who is calling.</p>
`}]},{title:`Nobody answers`,blocks:[{html:`<p>Go to the <button type="button" class="do" data-do="lab:start">start</button> and step <button type="button" class="do" data-do="lab:step/hypercall">hypercall by hypercall</button>, with an eye on
<button type="button" class="do" data-do="lab:view/objects">the queue of the endpoint</button>. Whoever comes first waits. When both are there, the eight message
registers go from the one UTCB into the other.</p>
<p>With the call the server gets one thing more: in its slot 2 a capability to <em>reply</em>, once, to exactly
this caller. It never uses it, and receives again.</p>
`}]},{title:`Answer`,blocks:[{html:`<p><button type="button" class="do" data-do="lab:edit/server.asm">Open the server&#39;s program</button>.</p>
`},{task:`reply`},{html:`<p>When the client is gone, nobody is left who could call. The server&#39;s receive says so with a status,
and the server leaves as well.</p>
`}]}],checks:[{id:`waiting`,title:`Find out who waits for whom`,hints:[`Run to the end, and look at how each domain ended.`,`The event that begins with call from … has the badge.`],edit:!1,events:[{find:{domain:`client`,event:`ended`,end:{reason:`stuck`}},else:`The client has not got stuck yet.`}],never:[],count:[],console:[],questions:[{ask:`In which hypercall does the client wait?`,answers:[`sync_call`,`call`,`12`],else:`Look at the client's last hypercall: it waits.`},{ask:`Which badge does the message come with?`,from:{find:{domain:`client`,event:`message`},field:`badge`},else:`Look at the event call from … to …, or at the server's UTCB after it.`}]},{id:`reply`,title:`Let the server reply: make the client return 42`,hints:[`After doubling, the server goes to next and receives again. Somebody is still waiting for the answer.`,`Put a line with hypercall sync_reply before jmp next.`],edit:!0,events:[{find:{domain:`client`,event:`message`,received:`call`,words:[21]},else:`The client does not call with 21.`},{find:{domain:`server`,event:`hypercall`,call:{any:[`sync_reply`,`sync_reply_receive`]},status:`ok`},else:`The server receives the call, and does not reply.`},{find:{domain:`client`,event:`ended`,end:{reason:`exit`,value:42}},else:`The client gets an answer, but not 42.`}],never:[],count:[],console:[],questions:[]}],world:`name = "call-and-reply"
about = "A client calls a server"

[[endpoint]]
name = "doubling"

[[domain]]
name = "server"
module = "server.ko"
caps = [{ slot = 5, object = "doubling", rights = "r" }]

[[domain]]
name = "client"
module = "client.ko"
caps = [{ slot = 5, object = "doubling", rights = "wc", badge = 9 }]
`,sources:[{name:`server.asm`,text:`; Receives calls for ever, and doubles what comes.

        .global init_module

        .equ    DOUBLING, 5

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     qword ptr [rbx + LCD_UTCB_ENDPOINT], DOUBLING
        mov     qword ptr [rbx + LCD_UTCB_TIMEOUT], 0  ; wait as long as it takes
next:   hypercall sync_receive
        cmp     qword ptr [rbx + LCD_UTCB_STATUS], 0  ; the status
        jne     done                    ; nobody can call any more
        shl     qword ptr [rbx], 1      ; message register 0, twice
        jmp     next

done:   mov     eax, 0
        ret
`},{name:`client.asm`,text:`; Calls the server with 21, and returns what comes back.

        .global init_module

        .equ    DOUBLING, 5

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     qword ptr [rbx + LCD_UTCB_ENDPOINT], DOUBLING
        mov     qword ptr [rbx + LCD_UTCB_TIMEOUT], 0  ; wait as long as it takes
        mov     qword ptr [rbx], 21     ; message register 0
        hypercall sync_call
        mov     rax, [rbx]
        ret
`}],listings:[],plants:[],views:[`code`,`objects`,`utcb`,`log`],modules:[]};export{e as default};