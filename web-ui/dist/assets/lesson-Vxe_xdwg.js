var e={name:`07-delegation`,title:`Delegation`,summary:`What is passed on can be passed on again. Revoking follows it, and nothing else.`,order:7,steps:2,tasks:[`tree`,`branch`],pages:[{title:`From hand to hand`,blocks:[{html:`<p>Alice has a page. She grants it to bob, who may pass it on, and to dora, who may not. Bob passes it on
to carol. All of them read it, and let each other work between.</p>
<p>Click <button type="button" class="do" data-do="lab:run">run</button>, and go through the <button type="button" class="do" data-do="lab:view/graph">graph</button> event by event. A capability that is
derived from another hangs below it, so they form a tree.</p>
`},{task:`tree`},{html:`<p>Alice never dealt with carol, and has no capability to her. Her revoke reached carol all the same:
whatever came from her page goes.</p>
`}]},{title:`Just this branch`,blocks:[{html:`<p>Dora has done nothing wrong. Alice would like to take the page from bob, and from everybody who has it
from bob, and nobody else.</p>
<p><button type="button" class="do" data-do="lab:edit/alice.asm">Open alice&#39;s program</button>. Revoke takes what is <em>below</em> a capability. So give bob a
branch of his own.</p>
`},{task:`branch`}]}],checks:[{id:`tree`,title:`Draw the family tree`,hints:[`Run, and go to the event before cap_revoke. The view Capability tree shows what is derived from what.`],edit:!1,events:[{find:{domain:`carol`,event:`mapped`},else:`Carol does not have the page yet.`}],never:[],count:[],console:[],questions:[{ask:`From whose capability is carol's derived?`,answers:[`bob`,`bob's`],else:`Look for the event that says what a slot of carol holds: it ends with whose slot it is from.`},{ask:`How many capabilities disappear when alice revokes?`,answers:[3,`three`],else:`Count the events after alice's cap_revoke that say that a slot is empty.`}]},{id:`branch`,title:`Take the page from bob and carol, and leave it with dora`,hints:[`A revoke takes everything below one capability. So bob's has to be below one that dora's is not below.`,`With cap_copy, alice makes a second capability for herself: from PAGE, to an empty slot such as 8, with LCD_READ + LCD_GRANT, badge 0.`,`Grant bob from the copy, dora from the original, and revoke the copy.`],edit:!0,events:[{find:{domain:`carol`,event:`mapped`},else:`Carol never gets the page: bob is to pass it on first.`},{find:{domain:`alice`,event:`hypercall`,call:`cap_revoke`,status:`ok`},else:`Alice does not revoke anything after carol has got the page.`},{find:{domain:`dora`,event:`ended`,end:{reason:`exit`}},else:`Dora does not come to her end.`}],never:[{find:{domain:`dora`,event:`ended`,end:{reason:`fault`}},else:`Dora has lost the page as well.`},{find:{domain:`bob`,event:`ended`,end:{reason:`exit`}},else:`Bob still reads the page at the end.`},{find:{domain:`carol`,event:`ended`,end:{reason:`exit`}},else:`Carol still reads the page at the end.`}],count:[],console:[],questions:[]}],world:`name = "delegation"
about = "A page goes from hand to hand"

[[domain]]
name = "alice"
module = "alice.ko"
pages = [{ slot = 5, rights = "rwg", at = 0x4000_0000 }]
caps = [
    { slot = 6, object = "bob", rights = "w" },
    { slot = 7, object = "dora", rights = "w" },
]

[[domain]]
name = "bob"
module = "bob.ko"
start = false
caps = [{ slot = 6, object = "carol", rights = "w" }]

[[domain]]
name = "carol"
module = "reader.ko"
start = false

[[domain]]
name = "dora"
module = "reader.ko"
start = false
`,sources:[{name:`alice.asm`,text:`; Owns a page. Gives it to bob, who may pass it on, and to dora. Then bob is not to have it any more,
; nor anybody who has it from bob. Dora keeps it.

        .global init_module

        .equ    PAGE, 5
        .equ    BOB, 6
        .equ    DORA, 7
        .equ    THEIR_SLOT, 3

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     ebp, 0x40000000
        mov     qword ptr [rbp], 7

        mov     edi, BOB
        mov     esi, PAGE
        mov     edx, LCD_READ + LCD_GRANT
        call    give
        mov     edi, DORA
        mov     esi, PAGE
        mov     edx, LCD_READ
        call    give

        mov     ecx, 3                  ; time for the others to read
wait1:  call    yield
        dec     ecx
        jnz     wait1

        mov     qword ptr [rbx], PAGE   ; take the page back from bob
        hypercall cap_revoke

        mov     ecx, 3                  ; time for the others to read again
wait2:  call    yield
        dec     ecx
        jnz     wait2
        mov     rax, [rbp]
        ret

; Grants the capability in slot esi to domain edi, with rights edx, and starts the domain.
give:   mov     [rbx], rdi
        mov     [rbx + 8], rsi
        mov     qword ptr [rbx + 16], THEIR_SLOT
        mov     [rbx + 24], rdx
        mov     qword ptr [rbx + 32], 0
        hypercall cap_grant
        mov     [rbx], rdi
        hypercall domain_run
        ret

yield:  hypercall yield
        ret
`},{name:`bob.asm`,text:`; Passes the page on to carol, and reads it.

        .global init_module

        .equ    PAGE, 3
        .equ    CAROL, 6

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     qword ptr [rbx], CAROL
        mov     qword ptr [rbx + 8], PAGE
        mov     qword ptr [rbx + 16], 3
        mov     qword ptr [rbx + 24], LCD_READ
        mov     qword ptr [rbx + 32], 0
        hypercall cap_grant
        mov     qword ptr [rbx], CAROL
        hypercall domain_run

        mov     ebp, 0x40000000
        mov     qword ptr [rbx], PAGE
        mov     [rbx + 8], rbp
        mov     qword ptr [rbx + 16], LCD_READ
        hypercall page_map
        mov     ecx, 4
again:  mov     rdx, [rbp]
        hypercall yield
        dec     ecx
        jnz     again
        mov     eax, 0
        ret
`},{name:`reader.asm`,text:`; Reads the page in slot 3 four times. carol and dora run this.

        .global init_module

        .equ    PAGE, 3

init_module:
        mov     rbx, gs:[0]             ; the UTCB
        mov     ebp, 0x40000000
        mov     qword ptr [rbx], PAGE
        mov     [rbx + 8], rbp
        mov     qword ptr [rbx + 16], LCD_READ
        hypercall page_map
        mov     ecx, 4
again:  mov     rdx, [rbp]
        hypercall yield
        dec     ecx
        jnz     again
        mov     eax, 0
        ret
`}],listings:[],plants:[],views:[`tree`,`graph`,`log`],modules:[]};export{e as default};