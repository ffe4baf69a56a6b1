var e={name:`04-capabilities`,title:`Capabilities`,summary:`Slots, rights, and what the microkernel says to somebody who asks for too much.`,order:4,steps:4,tasks:[`slot`,`refused`,`empty`,`allowed`],pages:[{title:`Slots and rights`,blocks:[{html:`<p>A domain keeps its capabilities in numbered <strong>slots</strong>, in a table that only the microkernel can
change. The program knows nothing but the numbers. It cannot forge a capability, just as it cannot
forge somebody else&#39;s open file.</p>
<p>Each capability says which thing it is about, and what may be done with it: <strong>r</strong>ead, <strong>w</strong>rite,
e<strong>x</strong>ecute, <strong>g</strong>rant (pass it on), <strong>c</strong>all.</p>
<p><button type="button" class="do" data-do="lab:view/graph">Look at the graph</button>. The domain <code>main</code> has one capability.</p>
`},{task:`slot`},{html:``}]},{title:`Asking for too much`,blocks:[{html:`<p>Holding a page is one thing, using it another: first it must be mapped to an address. The program
asks for that with the hypercall <code>page_map</code>. Its arguments go into the <strong>message registers</strong>, the
first eight words of the UTCB: the slot, the address, and the rights it would like.</p>
<p>In the text of a program, <code>hypercall page_map</code> stands for the two instructions that you have met:
the number into <code>eax</code>, and <code>out</code>. The answer is the <strong>status</strong>, a word of the UTCB. The program returns it, so that you see it: 0 is
<em>done</em>, a negative number is a reason why not.</p>
<p>Click <button type="button" class="do" data-do="lab:run">run</button>, and then <button type="button" class="do" data-do="lab:why">why?</button>.</p>
`},{task:`refused`},{html:`<p>Nothing bad has happened to the domain. It asked, it was told <em>no</em>, and it may go on.</p>
`}]},{title:`Nothing there`,blocks:[{html:`<p><button type="button" class="do" data-do="lab:edit/main.asm">Open the program</button>. What does the microkernel say about a slot with nothing in it?</p>
`},{task:`empty`},{html:``}]},{title:`Who decides`,blocks:[{html:`<p>The domain cannot give itself more rights. Whoever made the capability decides, and here that is <button type="button" class="do" data-do="lab:edit/world.toml">the
world file</button>. Press <strong>Reset</strong> first, then change the file.</p>
`},{task:`allowed`}]}],checks:[{id:`slot`,title:`Find the domain's capability`,hints:[`The box of main in the view Capabilities has a row for each of its slots: number, thing, rights.`],edit:!1,events:[],never:[],count:[],console:[],questions:[{ask:`In which slot is it?`,answers:[5],else:`Look at the box of main in the view Capabilities: the row begins with the slot's number.`},{ask:`Which rights does it have? (letters)`,answers:[`r`,`r----`,`read`],else:`Its rights are the letters at the end of the row.`}]},{id:`refused`,title:`See the request being refused`,hints:[`Run. The event page_map is marked refused.`,`Click why? in the text.`],edit:!1,events:[{find:{domain:`main`,event:`hypercall`,call:`page_map`,status:`not_permitted`},else:`The hypercall page_map has not been refused for lack of a right.`}],never:[],count:[],console:[],questions:[{ask:`Which right did main ask for that the capability lacks?`,answers:[`w`,`write`],else:`It asked for LCD_READ + LCD_WRITE. Which of the two does the capability not have?`}]},{id:`empty`,title:`Ask for a slot that has nothing in it: make the domain return -2`,hints:[`Change the number behind .equ PAGE to one of a slot that is empty, such as 7.`],edit:!0,events:[{find:{domain:`main`,event:`hypercall`,call:`page_map`,status:`not_found`},else:`page_map does not say not_found: the slot it is given is not empty.`},{find:{domain:`main`,event:`ended`,end:{reason:`exit`,value:-2}},else:`The domain does not return the status.`}],never:[],count:[],console:[],questions:[]},{id:`allowed`,title:`Give the capability the right that is missing: make the domain return 0`,hints:[`If PAGE is not 5 any more, put it back.`,`In the world file, the page's rights are "r". Make that "rw".`],edit:!0,events:[{find:{domain:`main`,event:`mapped`,page:`0x40000000`,rights:{has:`rw`}},else:`The page is not mapped for reading and writing. Leave the program as it was, and change the rights in the world file.`},{find:{domain:`main`,event:`ended`,end:{reason:`exit`,value:0}},else:`The page is mapped, but the domain does not return 0.`}],never:[],count:[],console:[],questions:[]}],world:`name = "capabilities"
about = "A domain asks for more than its capability allows"

[[domain]]
name = "main"
module = "main.ko"
pages = [{ slot = 5, rights = "r" }]
`,sources:[{name:`main.asm`,text:`; Asks for its page to be mapped, and returns the microkernel's answer.

        .global init_module

        .equ    PAGE, 5                 ; the slot of the capability

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     qword ptr [rbx], PAGE
        mov     qword ptr [rbx + 8], 0x40000000
        mov     qword ptr [rbx + 16], LCD_READ + LCD_WRITE
        hypercall page_map
        mov     rax, [rbx + LCD_UTCB_STATUS]  ; the status
        ret
`}],listings:[],plants:[],views:[`graph`,`registers`,`code`,`log`],modules:[]};export{e as default};