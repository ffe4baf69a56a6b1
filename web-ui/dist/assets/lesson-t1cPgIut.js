var e={name:`01-a-domain`,title:`What a domain is`,summary:`Run a program in a small isolated place, step through it, and change it.`,order:1,steps:4,tasks:[`run`,`hypercall`,`nothing`,`change`],pages:[{title:`Run it`,blocks:[{html:`<p>A <strong>domain</strong> is a small isolated place for a program. It has memory of its own, a thread, and nothing
else: no files, no network, no other programs that it could see.</p>
<p>The program on this page is ten instructions long. It says hello and ends. Nothing is running yet:
you stand before its first instruction.</p>
<p>Click <button type="button" class="do" data-do="lab:run">run</button>, and look at the list of <strong>events</strong>. Everything that a domain does and that
somebody else could notice is one: this domain came into being, its program was linked into it, it
said hello, and it ended.</p>
<p>What follows after the end is for comparing runs: a digest of each page of its memory.</p>
`},{task:`run`},{html:``}]},{title:`One step at a time`,blocks:[{html:`<p>Time runs backwards here, too. Go <button type="button" class="do" data-do="lab:start">to the start</button>.</p>
<p>Now <button type="button" class="do" data-do="lab:step">step one instruction</button>, several times. Watch the registers: what has just changed is
marked. The first instruction puts the address of the <strong>UTCB</strong> into <code>rbx</code>. That is a page that both
the domain and the microkernel can read and write. <code>rep movsb</code> copies the text into it.</p>
<p>A domain cannot call anything outside. It can only execute <code>out 0xe0, eax</code> with a number in <code>eax</code>,
which stops it and wakes the microkernel. That is a <strong>hypercall</strong>, and number 32 is <code>console_write</code>:
the domain would like to say something.</p>
<p>Go <button type="button" class="do" data-do="lab:start">to the start</button> again, and this time <button type="button" class="do" data-do="lab:step/hypercall">step one hypercall</button>.</p>
`},{task:`hypercall`},{html:``}]},{title:`What it owns`,blocks:[{html:`<p>Whatever a domain wants to use must have been given to it, in the form of a <strong>capability</strong>: the right
to use one thing in certain ways. <button type="button" class="do" data-do="lab:view/graph">Look at the graph</button>: it shows domains, things, and
who holds a capability to what.</p>
`},{task:`nothing`},{html:`<p>It can still compute and say hello. Everything else it would have to be given: a page to share, a way
to reach another domain. The next lessons do that.</p>
`}]},{title:`Change it`,blocks:[{html:`<p>This program is yours. <button type="button" class="do" data-do="lab:edit/main.asm">Open its text</button>, change what it returns, and press
<strong>Assemble and run</strong>. If a line is wrong, a mark beside it says why.</p>
`},{task:`change`},{html:`<p><strong>Reset</strong> brings the lesson&#39;s own text back at any time.</p>
`}]}],checks:[{id:`run`,title:`Run the domain to its end`,hints:[`Press Run beside the text, or click the word run in it.`],edit:!1,events:[{find:{domain:`main`,event:`ended`,end:{reason:`exit`}},else:`The domain has not ended yet.`}],never:[],count:[],console:[],questions:[]},{id:`hypercall`,title:`Stop right after the hypercall that writes hello`,hints:[`Go back to the start, and step by hypercall once.`,`The time line above the views goes back and forth as well. The event says that main writes hello.`],edit:!1,events:[],never:[],count:[],console:[],moment:{last:{domain:`main`,event:`hypercall`,call:`console_write`},else:`The last event at this moment is not that main writes hello. Go to the start, and step one hypercall.`},questions:[]},{id:`nothing`,title:`What does it own?`,hints:[`In the view Capabilities, each domain has a box with its capabilities in it.`],edit:!1,events:[],never:[],count:[],console:[],questions:[{ask:`To how many things does main hold a capability?`,answers:[0,`none`,`nothing`,`no`],else:`Look at the view Capabilities again: how many are there in the box of main?`}]},{id:`change`,title:`Make the domain return 42`,hints:[`What a function leaves in eax (the lower half of rax) is what it returns.`,`Change the 0 in the line before ret to 42, and press Assemble and run.`],edit:!0,events:[{find:{domain:`main`,event:`hypercall`,call:`console_write`,status:`ok`},else:`It does not write anything any more: leave the hypercall in.`},{find:{domain:`main`,event:`ended`,end:{reason:`exit`,value:42}},else:`The domain does not end with 42.`}],never:[],count:[],console:[],questions:[]}],world:`name = "a-domain"
about = "A domain says hello and ends"

[[domain]]
name = "main"
module = "main.ko"
`,sources:[{name:`main.asm`,text:`; A domain that says hello and ends.

        .global init_module

init_module:
        mov     rbx, gs:[0]             ; the UTCB: the page the microkernel reads
        lea     rdi, [rbx + LCD_UTCB_BUFFER]  ; its buffer
        lea     rsi, [rip + text]
        mov     ecx, 6
        rep movsb                       ; copy the text into the buffer
        mov     qword ptr [rbx], 6      ; message register 0: its length
        mov     eax, LCD_CALL_CONSOLE_WRITE
        out     0xe0, eax               ; the hypercall
        mov     eax, 0                  ; what the domain returns
        ret

text:   .ascii  "hello\\n"
`}],listings:[],plants:[],views:[`code`,`registers`,`graph`,`log`],modules:[]};export{e as default};