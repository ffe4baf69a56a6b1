var e={name:`02-address-spaces`,title:`Address spaces`,summary:`Two domains use the same address, and do not meet. Then they do.`,order:2,steps:3,tasks:[`run`,`frames`,`share`],pages:[{title:`The same address`,blocks:[{html:`<p>Two domains, <code>left</code> and <code>right</code>, run the same program. It writes the number of its domain to the
address <code>0x40000000</code>, lets the other one do the same, and reads the address again.</p>
<p>Click <button type="button" class="do" data-do="lab:run">run</button>. Each domain returns what it read.</p>
`},{task:`run`},{html:`<p>Both wrote to the same address, and each still found its own number. An address means something only
within a domain.</p>
`}]},{title:`Where an address leads`,blocks:[{html:`<p>Memory is divided into pages of 4096 bytes. The machine&#39;s real ones are called <strong>frames</strong>, and each
has a number. On its way there an address is translated twice:</p>
<ul>
<li>from <em>guest-virtual</em> to <em>guest-physical</em>, by page tables that belong to the domain;</li>
<li>from <em>guest-physical</em> to a <em>frame</em>, by the microkernel. This is what keeps domains apart: a page
without a frame behind it does not exist.</li>
</ul>
<p>Look at <button type="button" class="do" data-do="lab:walk/0x40000000@left">the walk in left</button> and at <button type="button" class="do" data-do="lab:walk/0x40000000@right">the walk in
right</button>: four levels of the domain&#39;s tables, and at the end a frame.</p>
`},{task:`frames`},{html:``}]},{title:`Meet`,blocks:[{html:`<p>What is declared in a <strong>world file</strong> is all that exists: the domains, what they run, and what they
hold. <button type="button" class="do" data-do="lab:edit/world.toml">Open it</button>. Each domain gets a page of its own there: <code>pages = …</code>.</p>
<p>A page that belongs to nobody is declared like this:</p>
<pre><code>[[memory]]
name = &quot;shared&quot;
</code></pre>
<p>and a domain gets a capability to it like this:</p>
<pre><code>caps = [{ slot = 5, object = &quot;shared&quot;, rights = &quot;rw&quot;, at = 0x4000_0000 }]
</code></pre>
`},{task:`share`},{html:`<p>Now <code>left</code> finds what <code>right</code> has written: they share one frame, and nothing else.</p>
`}]}],checks:[{id:`run`,title:`Run both domains to their ends`,hints:[`Click run, and look among the events at how each domain ended.`],edit:!1,events:[{find:{domain:`left`,event:`ended`,end:{reason:`exit`,value:1}},else:`The domain left has not ended with its own number yet.`},{find:{domain:`right`,event:`ended`,end:{reason:`exit`,value:2}},else:`The domain right has not ended with its own number yet.`}],never:[],count:[],console:[],questions:[]},{id:`frames`,title:`Find the two frames`,hints:[`The walk of an address ends at a frame. Choose the domain first, then the address 0x40000000.`,`The events near the top say it, too: page 0x40000000 leads to frame …, once for each domain.`],edit:!1,events:[],never:[],count:[],console:[],questions:[{ask:`Which frame is behind 0x40000000 in left?`,from:{find:{domain:`left`,event:`mapped`,page:`0x40000000`},field:`frame`},else:`That is not the frame of left. Look at the walk of 0x40000000 in the domain left.`},{ask:`And in right?`,from:{find:{domain:`right`,event:`mapped`,page:`0x40000000`},field:`frame`},else:`That is not the frame of right. Choose the domain right, and look at the walk again.`}]},{id:`share`,title:`Let both addresses lead to the same frame, so that left ends with 2`,hints:[`A [[memory]] table in the world file makes a block of pages that is nobody's own. The page above shows it.`,`Take the lines pages = … out of both domains, and give both caps = [{ slot = 5, object = "shared", rights = "rw", at = 0x4000_0000 }].`],edit:!0,events:[{find:{domain:`left`,event:`mapped`,page:`0x40000000`,frame:`$frame`},else:`The domain left has no page at 0x40000000.`},{find:{domain:`right`,event:`mapped`,page:`0x40000000`,frame:`$frame`},else:`The address 0x40000000 still leads to another frame in right than in left.`},{find:{domain:`left`,event:`ended`,end:{reason:`exit`,value:2}},else:`The frame is shared, but left does not end with 2: leave the program as it was.`}],never:[],count:[],console:[],questions:[]}],world:`name = "address-spaces"
about = "Two domains run the same program and use the same address"

[[domain]]
name = "left"
module = "twin.ko"
args = [1]
pages = [{ slot = 5, rights = "rw", at = 0x4000_0000 }]

[[domain]]
name = "right"
module = "twin.ko"
args = [2]
pages = [{ slot = 5, rights = "rw", at = 0x4000_0000 }]
`,sources:[{name:`twin.asm`,text:`; Two domains run this. Each is called with its own number, in rdi.

        .global init_module

init_module:
        mov     ebx, 0x40000000
        mov     [rbx], rdi              ; write the number
        hypercall yield                 ; let the other domain do the same
look:   mov     rax, [rbx]              ; what is there now?
        ret
`}],listings:[],plants:[],views:[`memory`,`walk`,`graph`,`log`],modules:[]};export{e as default};