var e={name:`10-rings-without-exits`,title:`Rings without exits`,summary:`Sixteen messages through shared memory, and almost no hypercalls.`,order:10,steps:3,tasks:[`count`,`memory`,`batch`],pages:[{title:`The price of a call`,blocks:[{html:`<p>A hypercall stops the domain, and the machine switches to the microkernel and back. That is quick, but
on hardware it costs as much as thousands of additions. Two domains that exchange much should not pay
it for every message.</p>
<p>A <strong>channel</strong> is a page or more that two domains share, with a doorbell at each end. Here the producer
puts numbers into the page, and the consumer adds them up. Click <button type="button" class="do" data-do="lab:run">run</button>.</p>
`},{task:`count`},{html:``}]},{title:`Shared memory`,blocks:[{html:`<p>Look at <button type="button" class="do" data-do="lab:memory/0x40000000">the ring</button>. At its start is how many numbers were put in, and from
offset 64 on are the numbers. The producer writes the number first and then the count: what is counted
is there.</p>
`},{task:`memory`},{html:`<p>No message was copied by anybody but the two domains, and the log shows none of it. What happens in
shared memory is between those who share it.</p>
`}]},{title:`Ring less`,blocks:[{html:`<p>The consumer sleeps only when there is nothing to take. <button type="button" class="do" data-do="lab:edit/producer.asm">Open the producer&#39;s
program</button>: it rings the doorbell for each number.</p>
`},{task:`batch`},{html:`<p>On hardware, where both run at the same time, a consumer that is busy anyhow needs no doorbell at all:
messages pass with no exit whatsoever. <code>lcd bench</code> measures that.</p>
`}]}],checks:[{id:`count`,title:`Count the hypercalls`,hints:[`Run. Above the events you can choose the domain producer, and Hypercalls.`],edit:!1,events:[{find:{domain:`consumer`,event:`ended`,end:{reason:`exit`,value:136}},else:`The consumer has not added everything up yet.`}],never:[],count:[],console:[],questions:[{ask:`How many hypercalls does the producer make for 16 numbers?`,answers:[16,`sixteen`],else:`Choose producer and Hypercalls above the events, and count what is left.`}]},{id:`memory`,title:`Look into the ring`,hints:[`Go to the end, and look at 0x40000000 in either domain.`,`The first eight bytes are one number, lowest byte first.`],edit:!1,events:[],never:[],count:[],console:[],questions:[{ask:`Which number is in the first eight bytes of the ring at the end?`,answers:[16],else:`It is the count of what was put in: look at memory at 0x40000000 at the end.`}]},{id:`batch`,title:`Let all sixteen numbers through with at most two hypercalls of the producer`,hints:[`The doorbell is for a consumer that sleeps. Does it have to be rung for each number?`,`Move the two lines that ring it behind the loop.`,`Without any ring the consumer sleeps for ever.`],edit:!0,events:[{find:{domain:`consumer`,event:`ended`,end:{reason:`exit`,value:136}},else:`The consumer does not get all sixteen numbers. Somebody has to wake it.`}],never:[],count:[{find:{domain:`producer`,event:`hypercall`},else:`The producer makes too many hypercalls.`,least:0,most:2}],console:[],questions:[]}],world:`name = "rings-without-exits"
about = "Messages through shared memory"

[[channel]]
name = "ring"

[[domain]]
name = "consumer"
module = "consumer.ko"
caps = [{ slot = 5, object = "ring", rights = "rw", badge = 1, at = 0x4000_0000 }]

[[domain]]
name = "producer"
module = "producer.ko"
caps = [{ slot = 5, object = "ring", rights = "rw", at = 0x4000_0000 }]
`,sources:[{name:`producer.asm`,text:`; Sends the numbers 1 to 16 through the ring.
;
; The page that both sides have: at 0 how many numbers were put in, from 64 on the numbers.

        .global init_module

        .equ    RING, 5

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     ebp, 0x40000000         ; the ring
        mov     edx, 0
put:    lea     rax, [rdx + 1]
        mov     [rbp + 64 + rdx*8], rax ; the number
        mov     rdx, rax
        mov     [rbp], rdx              ; now it counts

        mov     qword ptr [rbx], RING   ; ring the doorbell
        hypercall notification_signal

        cmp     rdx, 16
        jb      put
        mov     eax, 0
        ret
`},{name:`consumer.asm`,text:`; Adds up the 16 numbers that come through the ring.

        .global init_module

        .equ    RING, 5

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     ebp, 0x40000000         ; the ring
        mov     edx, 0                  ; how many were taken
        mov     r8d, 0                  ; their sum
look:   cmp     rdx, [rbp]
        jb      take

        mov     qword ptr [rbx], RING   ; there is nothing: wait for the doorbell
        mov     qword ptr [rbx + 8], 0
        hypercall notification_wait
        jmp     look

take:   add     r8, [rbp + 64 + rdx*8]
        inc     rdx
        cmp     rdx, 16
        jb      look
        mov     rax, r8
        ret
`}],listings:[],plants:[],views:[`memory`,`log`,`code`],modules:[]};export{e as default};