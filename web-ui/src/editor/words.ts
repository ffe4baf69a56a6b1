// What the assembler knows (docs/assembler.md), as far as the editor colours and completes it.

const plain = (words: string) => words.split(/\s+/);

const CONDITIONS = plain("o no b ae c nc e ne z nz be a na s ns p np l ge nl g le ng nb");

/** Instructions with a word on each. The rest of the table is coloured, not offered. */
export const USUAL: Record<string, string> = {
  mov: "copy", movzx: "copy, with zeros above", movsx: "copy, with the sign above", lea: "an address, computed",
  xchg: "exchange", push: "onto the stack", pop: "from the stack", add: "add", sub: "subtract", inc: "add 1", dec: "subtract 1",
  neg: "negate", mul: "multiply, unsigned", imul: "multiply", div: "divide, unsigned", idiv: "divide", and: "bits in both",
  or: "bits in either", xor: "bits that differ", not: "invert", shl: "shift left", shr: "shift right", sar: "shift right, with the sign",
  rol: "rotate left", ror: "rotate right", cmp: "compare", test: "compare bits", jmp: "go to", je: "go to, if equal",
  jne: "go to, if not equal", jb: "go to, if below", jae: "go to, if not below", ja: "go to, if above", jbe: "go to, if not above",
  jl: "go to, if less", jge: "go to, if not less", jz: "go to, if zero", jnz: "go to, if not zero", call: "a function", ret: "from a function",
  loop: "go to, until rcx is 0", rep: "repeat rcx times", movsb: "copy a byte", stosb: "store a byte", nop: "nothing", ud2: "an invalid instruction",
  out: "to a port", in: "from a port", int3: "a breakpoint", hypercall: "its number into eax, and out",
};

const OTHER = plain(`adc sbb xadd cmpxchg bswap bt bts btr btc bsf bsr popcnt lzcnt tzcnt cbw cwde cdqe cwd cdq cqo sal rcl rcr shld
  shrd jrcxz leave lodsb lodsw lodsd lodsq stosw stosd stosq movsw movsd movsq scasb scasw scasd scasq cmpsb cmpsw cmpsd cmpsq repe
  repne repz repnz lock cld std clc stc cmc lahf sahf pushfq popfq pause mfence lfence sfence hlt cli sti int syscall cpuid rdtsc rdmsr
  wrmsr endbr64 movabs movsxd movbe cmpxchg8b cmpxchg16b`);

export const MNEMONICS = new Set([
  ...Object.keys(USUAL),
  ...OTHER,
  ...CONDITIONS.flatMap((condition) => [`j${condition}`, `set${condition}`, `cmov${condition}`]),
]);

export const REGISTERS = new Set([
  ...plain("rax rcx rdx rbx rsp rbp rsi rdi eax ecx edx ebx esp ebp esi edi ax cx dx bx sp bp si di al cl dl bl spl bpl sil dil"),
  ...plain("ah ch dh bh rip fs gs cs ds es ss"),
  ...Array.from({ length: 8 }, (_, i) => ["", "d", "w", "b"].map((end) => `r${i + 8}${end}`)).flat(),
]);

export const SIZES = new Set(plain("byte word dword qword ptr short offset"));

export const DIRECTIVES: Record<string, string> = {
  ".global": "others can use this label", ".extern": "another module has this", ".text": "instructions follow",
  ".data": "data follow", ".rodata": "constants follow", ".bss": "zeros follow", ".section": "a section follows",
  ".equ": "a name for a number", ".ascii": "a text", ".asciz": "a text, and a zero byte", ".byte": "numbers of 1 byte",
  ".word": "numbers of 2 bytes", ".long": "numbers of 4 bytes", ".quad": "numbers of 8 bytes", ".zero": "so many zero bytes",
  ".align": "up to the next multiple",
};

/** Names that every program can use. */
export const CONSTANTS: Record<string, string> = {
  LCD_READ: "a right", LCD_WRITE: "a right", LCD_EXECUTE: "a right", LCD_GRANT: "a right", LCD_CALL_RIGHT: "a right",
  LCD_UTCB_MESSAGE: "message register 0", LCD_UTCB_CAPABILITY: "capability register 0", LCD_UTCB_STATUS: "how a hypercall ended",
  LCD_UTCB_ENDPOINT: "the slot that a message goes through", LCD_UTCB_TIMEOUT: "how long a message may wait",
  LCD_UTCB_BADGE: "of the message received", LCD_UTCB_ARRIVED: "capabilities that came", LCD_UTCB_RECEIVED: "what was received",
  LCD_UTCB_BUFFER: "text, names, registers", LCD_DATA_WINDOW: "where pages are mapped", LCD_CODE_WINDOW: "where code is mapped",
  LCD_PAGE_SIZE: "4096", LCD_HYPERCALL_PORT: "the port of hypercalls",
};
