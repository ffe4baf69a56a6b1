var e={name:`03-a-page-fault`,title:`A page fault`,summary:`A domain touches what it does not have. See who notices, and why.`,order:3,steps:4,tasks:[`fault`,`before`,`null`,`repair`],pages:[{title:`Something goes wrong`,blocks:[{html:`<p>This program writes 42 to memory, reads it back, and returns it. Click <button type="button" class="do" data-do="lab:run">run</button>.</p>
<p>It did not come to its end. Look for the event that is marked <em>fault</em>.</p>
`},{task:`fault`},{html:``}]},{title:`Why`,blocks:[{html:`<p>Click <button type="button" class="do" data-do="lab:why">why?</button>. Then <button type="button" class="do" data-do="lab:back">step back</button>, twice: the first step takes back what the
microkernel did after the end, the second one the fault. Here is the moment before it happened. The
instruction is <code>mov qword ptr [rbx], 42</code>, and <code>rbx</code> has the address.</p>
`},{task:`before`},{html:`<p>Now look at <button type="button" class="do" data-do="lab:walk/0x40005000">the walk of the address</button>. The domain&#39;s own page tables do lead
somewhere: to the guest-physical page <code>0x40005000</code>. But no frame is behind it, because the domain has
no capability there. The page that it has is <button type="button" class="do" data-do="lab:walk/0x40000000">at 0x40000000</button>.</p>
<p>So the microkernel stopped the thread. That is a <strong>fault</strong> of the lower kind: the domain&#39;s tables allow
the access, its capabilities do not.</p>
`}]},{title:`The other kind`,blocks:[{html:`<p>Page tables can refuse, too, and then the processor tells the domain itself: an <strong>exception</strong>. Nothing
is mapped near address 0 in any domain, to catch pointers that point nowhere.</p>
<p><button type="button" class="do" data-do="lab:edit/main.asm">Change the address</button> from <code>0x40005000</code> to <code>8</code>, and press <strong>Assemble and run</strong>.</p>
`},{task:`null`},{html:`<p>Look at <button type="button" class="do" data-do="lab:walk/0x8">the walk of address 8</button>: it ends within the domain&#39;s own tables.</p>
`}]},{title:`Repair it`,blocks:[{html:`<p>Back to the first program: press <strong>Reset</strong>. This time leave it as it is, and see to it that there is a
page where it writes. <button type="button" class="do" data-do="lab:edit/world.toml">The world file</button> says where the domain&#39;s page is.</p>
`},{task:`repair`}]}],checks:[{id:`fault`,title:`Find out what went wrong`,hints:[`Click run. The event marked fault says how main ended: no capability to … which address.`],edit:!1,events:[{find:{domain:`main`,event:`ended`,end:{reason:`fault`}},else:`Nothing has gone wrong yet.`}],never:[],count:[],console:[],questions:[{ask:`Which address did the domain use?`,answers:[`0x40005000`],else:`Look at the event marked fault: it names the address.`},{ask:`What did it try: read, write or execute?`,answers:[`write`],else:`The event marked fault says for what there was no capability: to read, to write or to execute?`}]},{id:`before`,title:`Go to the moment before the fault`,hints:[`From the end, step back by instruction, twice. The thread must not have ended.`,`A breakpoint at the label store stops there, too.`],edit:!1,events:[],never:[],count:[],console:[],moment:{domain:`main`,at:`store`,else:`The thread of main is not about to execute the instruction called store now. Go to the end, and step back twice.`},questions:[]},{id:`null`,title:`Make the domain fail at address 8 instead`,hints:[`Change the address in the first instruction to 8.`],edit:!0,events:[{find:{domain:`main`,event:`ended`,end:{reason:`exception`,vector:14,address:8}},else:`The domain does not end with exception 14 (a page fault) at address 8.`}],never:[],count:[],console:[],questions:[]},{id:`repair`,title:`Give the domain the page it needs: make it return 42`,hints:[`If the address in main.asm is still 8, put 0x40005000 back.`,`The page that it has is at 0x4000_0000: move it in the world file to where it is used.`],edit:!0,events:[{find:{domain:`main`,event:`mapped`,page:`0x40005000`},else:`There is still no page at 0x40005000: the address is to stay as it is, and the page is to go there.`},{find:{domain:`main`,event:`ended`,end:{reason:`exit`,value:42}},else:`The domain does not return 42.`}],never:[{find:{domain:`main`,event:`ended`,end:{reason:{not:`exit`}}},else:`The domain still faults.`}],count:[],console:[],questions:[]}],world:`name = "a-page-fault"
about = "A domain writes where it has no page"

[[domain]]
name = "main"
module = "main.ko"
pages = [{ slot = 5, rights = "rw", at = 0x4000_0000 }]
`,sources:[{name:`main.asm`,text:`; Writes a number to memory and reads it back.

        .global init_module

init_module:
        mov     ebx, 0x40005000
store:  mov     qword ptr [rbx], 42
        mov     rax, [rbx]
        ret
`}],listings:[],plants:[],views:[`code`,`registers`,`walk`,`log`],modules:[]};export{e as default};