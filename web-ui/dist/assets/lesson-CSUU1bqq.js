var e={name:`05-grant`,title:`Grant`,summary:`A parent passes a page on, with fewer rights than it has itself.`,order:5,steps:3,tasks:[`moment`,`family`,`readonly`],pages:[{title:`Passing something on`,blocks:[{html:`<p><code>parent</code> has a page. It puts the number 7 into it, and wants <code>child</code> to know it. So it <strong>grants</strong> the
page: the hypercall <code>cap_grant</code> puts a copy of its capability into a slot of the child. Nothing is
moved and no byte is copied. Afterwards both have the page.</p>
<p>Go <button type="button" class="do" data-do="lab:start">to the start</button>, and <button type="button" class="do" data-do="lab:step/event">step one event</button> at a time. Follow the graph.</p>
`},{task:`moment`},{html:``}]},{title:`Derived`,blocks:[{html:`<p>The child&#39;s capability is <strong>derived</strong> from the parent&#39;s. The microkernel remembers that, for the day
on which the parent wants the page back. That is the next lesson.</p>
`},{task:`family`},{html:`<p>Two things had to be true for this. The parent&#39;s capability to the page has <code>g</code>, grant: without it
nothing can be passed on. And the parent has a capability to the child with <code>w</code>, write: nobody can
push things into a domain just like that.</p>
`}]},{title:`Too generous`,blocks:[{html:`<p>Now <button type="button" class="do" data-do="lab:run">run</button> to the end. The child read 7, and returned it. But the parent returns 99! The child
has overwritten the page, because it could.</p>
<p><button type="button" class="do" data-do="lab:edit/parent.asm">Open the parent&#39;s program</button>. A copy can have fewer rights than the original, never
more.</p>
`},{task:`readonly`},{html:`<p>Notice what the child did: it asked to map the page for writing, was refused, and asked for less. Then
it tried to write all the same.</p>
`}]}],checks:[{id:`moment`,title:`Stop right after the capability has come to the child`,hints:[`Go to the start, and step by event until the last one says that slot 3 of child holds memory, from slot 5 of parent.`],edit:!1,events:[],never:[],count:[],console:[],moment:{last:{domain:`child`,by:`parent`,event:`capability_added`},else:`The last event at this moment is not that a capability came to child. Go to the start, and step by event.`},questions:[]},{id:`family`,title:`Find where the child's capability comes from`,hints:[`The last event at that moment says it: … holds memory …, from slot … of parent.`],edit:!1,events:[],never:[],count:[],console:[],questions:[{ask:`From which of parent's slots is it derived?`,from:{find:{domain:`child`,by:`parent`,event:`capability_added`},field:`from.number`},else:`Look for the event that says what child holds: it ends with the slot it is from.`},{ask:`And in which slot does child have it?`,from:{find:{domain:`child`,by:`parent`,event:`capability_added`},field:`slot`},else:`The same event begins with child's own slot.`}]},{id:`readonly`,title:`Let the child read the number, but not overwrite it: make parent return 7`,hints:[`The fourth argument of cap_grant is the rights that the copy gets. Which does the child not need?`,`In parent.asm, change LCD_READ + LCD_WRITE to LCD_READ.`],edit:!0,events:[{find:{domain:`parent`,event:`hypercall`,call:`cap_grant`,status:`ok`},else:`The parent does not grant the page any more: the child is to have it, with fewer rights.`},{find:{domain:`child`,event:`mapped`,rights:`r----`},else:`The child's page is not mapped just for reading: the copy still has the right to write.`},{find:{domain:`child`,event:`ended`,end:{reason:`fault`,access:`write`}},else:`The child is not stopped at its write.`},{find:{domain:`parent`,event:`ended`,end:{reason:`exit`,value:7}},else:`The parent does not find its 7 afterwards.`}],never:[],count:[],console:[],questions:[]}],world:`name = "grant"
about = "A parent lends a page to a child"

[[domain]]
name = "parent"
module = "parent.ko"
pages = [{ slot = 5, rights = "rwg", at = 0x4000_0000 }]
caps = [{ slot = 6, object = "child", rights = "w" }]

[[domain]]
name = "child"
module = "child.ko"
start = false
`,sources:[{name:`parent.asm`,text:`; Puts a number into its page, grants the page to the child, starts the child, and returns the
; number that is in the page afterwards.

        .global init_module

        .equ    PAGE, 5
        .equ    CHILD, 6
        .equ    CHILDS_SLOT, 3

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     ebp, 0x40000000         ; the page
        mov     qword ptr [rbp], 7

        mov     qword ptr [rbx], CHILD
        mov     qword ptr [rbx + 8], PAGE
        mov     qword ptr [rbx + 16], CHILDS_SLOT
        mov     qword ptr [rbx + 24], LCD_READ + LCD_WRITE
        mov     qword ptr [rbx + 32], 0
        hypercall cap_grant

        mov     qword ptr [rbx], CHILD
        hypercall domain_run

        hypercall yield                 ; now the child runs
        mov     rax, [rbp]
        ret
`},{name:`child.asm`,text:`; Maps the page it was given with all rights that it can get, reads the number, and overwrites it.

        .global init_module

        .equ    PAGE, 3

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     ebp, 0x40000000
        mov     qword ptr [rbx], PAGE
        mov     [rbx + 8], rbp
        mov     qword ptr [rbx + 16], LCD_READ + LCD_WRITE
        hypercall page_map
        cmp     qword ptr [rbx + LCD_UTCB_STATUS], 0
        je      use
        mov     qword ptr [rbx + 16], LCD_READ  ; it was refused: ask for less
        hypercall page_map
use:    mov     rax, [rbp]
write:  mov     qword ptr [rbp], 99
        ret
`}],listings:[],plants:[],views:[`graph`,`memory`,`code`,`log`],modules:[]};export{e as default};