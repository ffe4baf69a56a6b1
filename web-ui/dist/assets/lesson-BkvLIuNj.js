var e={name:`09-what-crosses`,title:`What crosses, and what does not`,summary:`A message takes words and capabilities along. An address is only a number.`,order:9,steps:2,tasks:[`words`,`send`],pages:[{title:`A pointer to nothing`,blocks:[{html:`<p>The client writes 77 into its page, and sends the page&#39;s address to the server. The server reads at
that address. Click <button type="button" class="do" data-do="lab:run">run</button>.</p>
<p>The address arrived, and the server faulted: an address means something only where it comes from.</p>
`},{task:`words`},{html:`<p>What a crossing copies is small on purpose: eight words, whose cost is the same every time. Not the
processor&#39;s registers, not the buffer, and nothing that an address points to.</p>
`}]},{title:`Capabilities cross`,blocks:[{html:`<p>Beside the words there are eight <strong>capability registers</strong> in the UTCB. The sender writes a slot into
one, to say <em>this goes along</em>. The receiver writes a slot into the same one, to say <em>it may come here</em>.</p>
<p>The server has done its part. <button type="button" class="do" data-do="lab:edit/client.asm">Open the client&#39;s program</button>.</p>
`},{task:`send`},{html:`<p>Now both have the page, and 4096 bytes have crossed without one of them being copied. Look at the
server&#39;s capability in <button type="button" class="do" data-do="lab:view/graph">the graph</button>: it is derived from the client&#39;s. What crosses like
this can be revoked.</p>
`}]}],checks:[{id:`words`,title:`See what has crossed`,hints:[`Run, put a breakpoint at the label got of the server, and look at its registers a few steps later.`,`r12 was set by the client, r13 and r14 are filled by the server from its own UTCB.`],edit:!1,events:[{find:{domain:`server`,event:`ended`,end:{reason:`fault`}},else:`The message has not been received yet.`}],never:[],count:[],console:[],questions:[{ask:`What is in the server's r13, which comes from message register 1?`,answers:[55],else:`Message registers cross. Look at r13 when the server has ended.`},{ask:`The client's r12 is 1234. What is the server's?`,answers:[0],else:`Look at r12 of the server's thread, not of the client's.`},{ask:`The client wrote 66 into its buffer. What does the server find in its own (r14)?`,answers:[0],else:`Look at r14 when the server has ended.`}]},{id:`send`,title:`Send the page along: make the server return 77`,hints:[`Capability register 0 is the word at rbx + LCD_UTCB_CAPABILITY. It names the slot whose capability goes along.`,`In the client, before the hypercall: mov qword ptr [rbx + LCD_UTCB_CAPABILITY], PAGE.`],edit:!0,events:[{find:{domain:`client`,event:`message`,arrived:1},else:`No capability goes along with the message.`},{find:{domain:`server`,event:`capability_added`,slot:8,from:{number:6}},else:`It is not the page's capability that goes along.`},{find:{domain:`server`,event:`ended`,end:{reason:`exit`,value:77}},else:`The server does not read 77.`}],never:[],count:[],console:[],questions:[]}],world:`name = "what-crosses"
about = "A message takes words and capabilities along, and nothing else"

[[endpoint]]
name = "line"

[[domain]]
name = "server"
module = "server.ko"
caps = [{ slot = 5, object = "line", rights = "rg" }]

[[domain]]
name = "client"
module = "client.ko"
pages = [{ slot = 6, rights = "rwg", at = 0x4000_0000 }]
caps = [{ slot = 5, object = "line", rights = "wg" }]
`,sources:[{name:`client.asm`,text:`; Puts a number into its page and tells the server where it is.

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
`},{name:`server.asm`,text:`; Receives a message, maps the page that came along, and reads at the address from the message.

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
`}],listings:[],plants:[],views:[`utcb`,`registers`,`graph`,`log`],modules:[]};export{e as default};