var e=new URL(`checksum-BqPXj7q5.elf`,import.meta.url).href,t=new URL(`hardware-BlUU48j8.log`,import.meta.url).href,n={name:`13-a-planted-bug`,title:`Hardware against simulator: a planted bug`,summary:`The same program ran on a real processor. This machine gets it wrong: find the instruction.`,order:13,steps:3,tasks:[`divergence`,`instruction`],pages:[{title:`Two machines`,blocks:[{html:`<p>Domains run on real processors, and in a simulator like the one on this page. Both run the same bytes,
and both write an event log. So finding a bug in one of them is finding the first event that differs.</p>
<p>The program computes a checksum of twelve numbers, and writes a letter after each. It once ran on a
real processor, and the log of that run was kept. The machine on this page has a fault, which
somebody has planted: one instruction computes wrongly.</p>
<p>Click <button type="button" class="do" data-do="lab:run">run</button>. The logs agree for a while.</p>
`}]},{title:`Compare`,blocks:[{html:`<p><button type="button" class="do" data-do="lab:view/compare">Look at both logs</button> side by side.</p>
`},{task:`divergence`},{html:`<p>Whatever comes after the first difference proves nothing: a wrong sum stays wrong. What matters is the
moment at which it became wrong.</p>
`}]},{title:`Close in`,blocks:[{html:`<p>The first wrong letter is a symptom. The cause is somewhere between the event before it, where all was
still well, and the event itself. Go to <button type="button" class="do" data-do="lab:event/11">event 11</button>, and step from there, one
<button type="button" class="do" data-do="lab:step">instruction</button> after the other. <button type="button" class="do" data-do="lab:back">Step back</button> as often as you like.</p>
`},{task:`instruction`},{html:`<p>This is how <code>lcd diff</code> is used: it runs a world on hardware and in the simulator, and shows the first
divergent event. Where simulator and hardware disagree, one of the two is wrong, and mostly it is not
the hardware.</p>
`}]}],checks:[{id:`divergence`,title:`Find the first event that differs`,hints:[`Run to the end, and compare with the recording: both logs stand side by side, and the first difference is marked.`,`The console shows one letter for each number. The hardware wrote gkecfjlojofe.`],edit:!1,events:[{find:{domain:`main`,event:`ended`},else:`This machine has not run the program yet.`}],never:[],count:[],console:[],questions:[{ask:`What is the number of the first event that differs?`,answers:[12],else:`That is not the first one. Compare the logs from the top: the first difference, not the largest one.`},{ask:`Which letter did the hardware write there?`,answers:[`o`],else:`That is not what the hardware wrote: look at the recording's side.`}]},{id:`instruction`,title:`Find the instruction that computes wrongly`,hints:[`Go to the event before the first difference, and step by instruction. Before each step, work out what it should do.`,`Only a number that is 1000 or more comes to the label large. All other rounds were right.`,`The sum is in r8. One of the instructions adds 9 to it. Does it?`],edit:!1,events:[],never:[],count:[],console:[],questions:[{ask:`At which label or address is it?`,answers:[`carry`,`checksum.elf!carry`,`checksum!carry`,`0x400043`],else:`That one works. Step on, and compare each register with what the instruction should have done.`},{ask:`Which bits of the result are wrong? (the difference, as a number)`,answers:[4],else:`Subtract: what is in r8 after the instruction, and what should be there?`}]}],world:`name = "a-planted-bug"
about = "A checksum, as a program of its own: no library, always the same bytes"

[[domain]]
name = "main"
module = "checksum.elf"
`,sources:[],listings:[{name:`checksum.asm`,text:`; A checksum. After each number it writes a letter that depends on all numbers so far.

        .global _start
        .equ    CONSOLE_PUT, 3
        .equ    EXIT, 8

_start: mov     rbx, gs:[0]             ; the UTCB
        lea     rsi, [rip + numbers]
        mov     edi, 12                 ; how many
        mov     r8d, 1                  ; the checksum

round:  mov     ecx, [rsi]
        add     r8d, ecx
        test    ecx, 1
        jz      even
odd:    lea     r8d, [r8 + r8*2]
        jmp     range
even:   mov     edx, r8d
        shr     edx, 7
        xor     r8d, edx

range:  cmp     ecx, 1000
        jb      letter
large:  rol     r8d, 3
carry:  add     r8d, 9
        xor     r8d, ecx

letter: mov     edx, r8d
        and     edx, 15
        add     edx, 97                 ; the letter a
        mov     [rbx], rdx
        mov     eax, CONSOLE_PUT
        out     0xe0, eax

        add     rsi, 4
        dec     edi
        jnz     round

        mov     [rbx], r8
        mov     eax, EXIT
        out     0xe0, eax
        jmp     .

numbers:
        .long   17, 4, 300, 12, 5, 222, 8, 4711, 90, 33, 2500, 6
`}],plants:[{domain:0,address:`0x400043`,register:`r8`,xor:`0x4`}],views:[`code`,`registers`,`log`],modules:[{name:`checksum.elf`,url:e}],recorded:{name:`hardware.log`,url:t}};export{n as default};