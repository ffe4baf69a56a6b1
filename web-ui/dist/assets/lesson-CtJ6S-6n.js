var e={name:`06-revoke`,title:`Revoke`,summary:`Take back what you gave, at once, from somebody who does not agree.`,order:6,steps:3,tasks:[`twice`,`revoke`,`who`],pages:[{title:`Lent for ever?`,blocks:[{html:`<p><code>parent</code> lends its page to <code>child</code>, for reading. The child reads it, lets the parent work, and reads
it again. Click <button type="button" class="do" data-do="lab:run">run</button>.</p>
`},{task:`twice`},{html:`<p>The parent would have liked to be alone with its page between the two reads. It cannot ask the child
to forget the page: why should the child obey?</p>
`}]},{title:`Take it back`,blocks:[{html:`<p>It need not ask. <strong>Revoke</strong> removes every capability that is derived from one&#39;s own, with all mappings
made under them. When the hypercall returns, that has happened: no access succeeds any more.</p>
<p><button type="button" class="do" data-do="lab:edit/parent.asm">Open the parent&#39;s program</button> and find the label <code>back</code>. Put a <code>cap_revoke</code> there.
The other hypercalls in the program show how it is done.</p>
`},{task:`revoke`},{html:`<p>Try the alternatives as well, if you like. <code>cap_delete</code> gives up the parent&#39;s own capability: what
was derived from it moves up in the tree, and the child reads on.</p>
`}]},{title:`Who was it?`,blocks:[{html:`<p>Go to the <button type="button" class="do" data-do="lab:end">end</button>, and click <button type="button" class="do" data-do="lab:why">why?</button>.</p>
`},{task:`who`},{html:`<p>Step <button type="button" class="do" data-do="lab:back/event">back</button> and forth over that event while you look at <button type="button" class="do" data-do="lab:view/graph">the graph</button>
and at <button type="button" class="do" data-do="lab:walk/0x40003000@child">the walk of the child&#39;s address</button>.</p>
`}]}],checks:[{id:`twice`,title:`See the child read twice`,hints:[`Run to the end: the child returns what it read the second time.`],edit:!1,events:[{find:{domain:`child`,event:`ended`,end:{reason:`exit`,value:7}},else:`The child has not ended with what it read.`}],never:[],count:[],console:[],questions:[]},{id:`revoke`,title:`Make the child's read after the revoke fail`,hints:[`The hypercall is cap_revoke. Its one argument, in message register 0, is the parent's own slot.`,`Two lines: mov qword ptr [rbx], PAGE, and then hypercall cap_revoke.`],edit:!0,events:[{find:{domain:`child`,event:`mapped`,slot:3},else:`The child does not get the page at all: it is to read it once.`},{find:{domain:`parent`,event:`hypercall`,call:`cap_revoke`,status:`ok`},else:`The child's read still succeeds: the parent does not revoke anything after the child has mapped the page.`},{find:{domain:`child`,by:`parent`,event:`capability_removed`,slot:3},else:`The child still has its capability: was it the slot of the page that you revoked?`},{find:{domain:`child`,event:`ended`,end:{reason:`fault`,access:`read`,address:`0x40003000`}},else:`The child's read still succeeds.`},{find:{domain:`parent`,event:`ended`,end:{reason:`exit`,value:7}},else:`The parent must still have the page afterwards: revoke takes copies, and leaves the original.`}],never:[],count:[],console:[],questions:[]},{id:`who`,title:`Find out who took the page away`,hints:[`Click why? at the end. It names the capability that is missing, and jumps to what took it away.`],edit:!1,events:[{find:{domain:`child`,by:`parent`,event:`capability_removed`},else:`Nothing has been taken away in this run: do the task before this one first.`}],never:[],count:[],console:[],questions:[{ask:`Which slot of child was emptied?`,answers:[3],else:`Look for the event that says that a slot of child is empty.`},{ask:`By which hypercall?`,answers:[`cap_revoke`,`revoke`,`1`],else:`Look at the hypercall just before the capability was removed.`}]}],world:`name = "revoke"
about = "A parent lends a page to a child, and wants it back"

[[domain]]
name = "parent"
module = "parent.ko"
pages = [{ slot = 5, rights = "rwg", at = 0x4000_0000 }]
caps = [{ slot = 6, object = "child", rights = "w" }]

[[domain]]
name = "child"
module = "child.ko"
start = false
`,sources:[{name:`parent.asm`,text:`; Lends its page to the child for reading. Afterwards it wants to be alone with the page again.

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
        mov     qword ptr [rbx + 24], LCD_READ
        mov     qword ptr [rbx + 32], 0
        hypercall cap_grant

        mov     qword ptr [rbx], CHILD
        hypercall domain_run

        hypercall yield                 ; the child reads once

back:   ; Take the page back here: your code.

        hypercall yield                 ; the child wants to read again
        mov     rax, [rbp]
        ret
`},{name:`child.asm`,text:`; Reads the page that it was given twice, and lets the parent work between.

        .global init_module

        .equ    PAGE, 3

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     ebp, 0x40003000
        mov     qword ptr [rbx], PAGE
        mov     [rbx + 8], rbp
        mov     qword ptr [rbx + 16], LCD_READ
        hypercall page_map
first:  mov     rax, [rbp]
        hypercall yield
second: mov     rax, [rbp]
        ret
`}],listings:[],plants:[],views:[`graph`,`code`,`walk`,`log`],modules:[]};export{e as default};