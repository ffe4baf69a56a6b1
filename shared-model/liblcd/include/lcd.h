/*
 * What a domain and the microkernel agree on, for C: the same numbers as
 * shared-model's `abi` and `layout` (a test compares the two), and a stub for each
 * hypercall. It needs no other header and no library, so it serves kernel modules and
 * freestanding executables alike.
 *
 * A hypercall: arguments go into the message registers of the thread's UTCB, the
 * number into %eax, and `out` to LCD_HYPERCALL_PORT does it. Message register 0 then
 * holds the status, further ones the results. No processor register changes.
 */
#ifndef LCD_H
#define LCD_H

#define LCD_HYPERCALL_PORT 0xe0

/* Hypercalls. `m0` is message register 0, and so on. */
#define LCD_CALL_CAP_DELETE 0       /* m0 = slot */
#define LCD_CALL_CAP_REVOKE 1       /* m0 = slot */
#define LCD_CALL_CAP_GRANT 2        /* m0 = domain slot, m1 = from, m2 = to, m3 = rights */
#define LCD_CALL_DOMAIN_CREATE 4    /* m0 = slot */
#define LCD_CALL_DOMAIN_CONFIGURE 5 /* m0 = domain slot, m1 = length of the name */
#define LCD_CALL_DOMAIN_RUN 7       /* m0 = domain slot */
#define LCD_CALL_EXIT 8             /* m0 = value */
#define LCD_CALL_PAGE_ALLOCATE 16   /* m0 = slot, m1 = rights */
#define LCD_CALL_PAGE_MAP 18        /* m0 = page slot, m1 = guest-physical address, m2 = rights */
#define LCD_CALL_PAGE_UNMAP 19      /* m0 = page slot */
#define LCD_CALL_CONSOLE_WRITE 32   /* m0 = length of the text */
#define LCD_CALL_YIELD 33

/* Statuses: Linux's errors, negated. */
#define LCD_OK 0
#define LCD_NOT_PERMITTED (-1)   /* the capability lacks a right */
#define LCD_NOT_FOUND (-2)       /* an empty slot, an absent mapping, an unknown name */
#define LCD_NO_MEMORY (-12)      /* memory, or a quota, is exhausted */
#define LCD_EXISTS (-17)         /* the destination is taken */
#define LCD_INVALID (-22)        /* an argument is out of range or of the wrong kind */
#define LCD_NO_SYSTEM_CALL (-38) /* no such hypercall */
#define LCD_BAD_STATE (-77)      /* the object's state does not allow this */

/* Rights of a capability or a mapping. */
#define LCD_READ 1
#define LCD_WRITE 2
#define LCD_EXECUTE 4
#define LCD_GRANT 8

/* The UTCB (user thread control block), one page. */
#define LCD_UTCB_REGISTERS 8
#define LCD_UTCB_MESSAGE 0
#define LCD_UTCB_CAPABILITY 64
#define LCD_UTCB_BUFFER 256
#define LCD_UTCB_BUFFER_SIZE 3840

/* Bytes of a module's name. */
#define LCD_NAME_MAX 255

/* Offsets in the area that %gs points to. */
#define LCD_AREA_UTCB 0x00
#define LCD_AREA_DATA_WINDOW 0x08
#define LCD_AREA_CODE_WINDOW 0x10
#define LCD_AREA_THREAD 0x18
#define LCD_AREA_STACK_CANARY 0x28
#define LCD_AREA_SELF 0x30
#define LCD_AREA_FREE 0x40

#define LCD_PAGE_SIZE 4096

/*
 * The windows: the guest-physical ranges in which a page capability can be mapped.
 * The data window allows read and write, the code window read and execute. Where they
 * appear in guest-virtual space is the system's choice: lcd_data_window() and
 * lcd_code_window() tell.
 */
#define LCD_DATA_WINDOW 0x40000000
#define LCD_DATA_WINDOW_SIZE 0x20000000
#define LCD_CODE_WINDOW 0x60000000
#define LCD_CODE_WINDOW_SIZE 0x10000000

/*
 * The first half of the data window, and the capability slots below this one, are the
 * program's own. The rest belongs to liblcd's kmalloc: see c/pages.c.
 */
#define LCD_HEAP_OFFSET 0x10000000
#define LCD_HEAP_SLOT 0x1000

#ifndef __ASSEMBLER__

typedef __UINT8_TYPE__ lcd_u8;
typedef __UINT32_TYPE__ lcd_u32;
typedef __UINT64_TYPE__ lcd_u64;
typedef __INT64_TYPE__ lcd_status;

struct lcd_utcb {
	lcd_u64 message[LCD_UTCB_REGISTERS];
	lcd_u64 capability[LCD_UTCB_REGISTERS];
	lcd_u8 reserved[LCD_UTCB_BUFFER - LCD_UTCB_CAPABILITY - 8 * LCD_UTCB_REGISTERS];
	lcd_u8 buffer[LCD_UTCB_BUFFER_SIZE];
};

_Static_assert(__builtin_offsetof(struct lcd_utcb, message) == LCD_UTCB_MESSAGE, "message");
_Static_assert(__builtin_offsetof(struct lcd_utcb, capability) == LCD_UTCB_CAPABILITY,
	       "capability");
_Static_assert(__builtin_offsetof(struct lcd_utcb, buffer) == LCD_UTCB_BUFFER, "buffer");
_Static_assert(sizeof(struct lcd_utcb) == LCD_PAGE_SIZE, "a UTCB is a page");

/* The 8-byte word of the thread's area at a constant offset. */
#define lcd_area_word(offset)                                                              \
	({                                                                                 \
		lcd_u64 lcd_area_word_;                                                    \
		__asm__("movq %%gs:%c1, %0" : "=r"(lcd_area_word_) : "i"(offset));         \
		lcd_area_word_;                                                            \
	})

static inline struct lcd_utcb *lcd_utcb(void)
{
	return (struct lcd_utcb *)lcd_area_word(LCD_AREA_UTCB);
}

/* The number of this thread within its domain. */
static inline lcd_u64 lcd_thread(void)
{
	return lcd_area_word(LCD_AREA_THREAD);
}

/* Where a byte of the data window appears to this domain's instructions. */
static inline void *lcd_data_window(lcd_u64 offset)
{
	return (void *)(lcd_area_word(LCD_AREA_DATA_WINDOW) + offset);
}

/* The same for the code window. */
static inline void *lcd_code_window(lcd_u64 offset)
{
	return (void *)(lcd_area_word(LCD_AREA_CODE_WINDOW) + offset);
}

/* Does the hypercall; the arguments are in the UTCB already. */
static inline lcd_status lcd_hypercall(lcd_u32 number)
{
	__asm__ volatile("outl %%eax, %1" : : "a"(number), "i"(LCD_HYPERCALL_PORT) : "memory");
	return (lcd_status)lcd_utcb()->message[0];
}

static inline lcd_status lcd_hypercall1(lcd_u32 number, lcd_u64 m0)
{
	lcd_utcb()->message[0] = m0;
	return lcd_hypercall(number);
}

static inline lcd_status lcd_hypercall2(lcd_u32 number, lcd_u64 m0, lcd_u64 m1)
{
	lcd_utcb()->message[1] = m1;
	return lcd_hypercall1(number, m0);
}

static inline lcd_status lcd_hypercall3(lcd_u32 number, lcd_u64 m0, lcd_u64 m1, lcd_u64 m2)
{
	lcd_utcb()->message[2] = m2;
	return lcd_hypercall2(number, m0, m1);
}

static inline lcd_status lcd_hypercall4(lcd_u32 number, lcd_u64 m0, lcd_u64 m1, lcd_u64 m2,
					lcd_u64 m3)
{
	lcd_utcb()->message[3] = m3;
	return lcd_hypercall3(number, m0, m1, m2);
}

/*
 * Puts bytes into the UTCB's buffer. A string instruction, because compilers turn a
 * loop into a call of memcpy, which a freestanding executable may not have.
 */
static inline void lcd_fill_buffer(const char *bytes, lcd_u64 length)
{
	void *to = lcd_utcb()->buffer;

	__asm__ volatile("cld\n\trep movsb"
			 : "+D"(to), "+S"(bytes), "+c"(length)
			 :
			 : "memory", "cc");
}

/* Appends text of any length to the domain's console. */
static inline lcd_status lcd_console_write(const char *text, lcd_u64 length)
{
	lcd_status status = LCD_OK;

	while (length > 0 && status == LCD_OK) {
		lcd_u64 part = length < LCD_UTCB_BUFFER_SIZE ? length : LCD_UTCB_BUFFER_SIZE;

		lcd_fill_buffer(text, part);
		status = lcd_hypercall1(LCD_CALL_CONSOLE_WRITE, part);
		text += part;
		length -= part;
	}
	return status;
}

/* Ends the calling thread. */
__attribute__((noreturn)) static inline void lcd_exit(lcd_u64 value)
{
	for (;;)
		lcd_hypercall1(LCD_CALL_EXIT, value);
}

/* Lets the other ready threads run first. */
static inline lcd_status lcd_yield(void)
{
	return lcd_hypercall(LCD_CALL_YIELD);
}

/* A zeroed page; its capability goes to the slot. */
static inline lcd_status lcd_page_allocate(lcd_u64 slot, lcd_u64 rights)
{
	return lcd_hypercall2(LCD_CALL_PAGE_ALLOCATE, slot, rights);
}

static inline lcd_status lcd_page_map(lcd_u64 slot, lcd_u64 gpa, lcd_u64 rights)
{
	return lcd_hypercall3(LCD_CALL_PAGE_MAP, slot, gpa, rights);
}

static inline lcd_status lcd_page_unmap(lcd_u64 slot)
{
	return lcd_hypercall1(LCD_CALL_PAGE_UNMAP, slot);
}

/* Copies a capability, with at most these rights, into another domain. */
static inline lcd_status lcd_cap_grant(lcd_u64 domain, lcd_u64 from, lcd_u64 to, lcd_u64 rights)
{
	return lcd_hypercall4(LCD_CALL_CAP_GRANT, domain, from, to, rights);
}

/* Removes every capability derived from this one, and their mappings. */
static inline lcd_status lcd_cap_revoke(lcd_u64 slot)
{
	return lcd_hypercall1(LCD_CALL_CAP_REVOKE, slot);
}

static inline lcd_status lcd_cap_delete(lcd_u64 slot)
{
	return lcd_hypercall1(LCD_CALL_CAP_DELETE, slot);
}

/* An empty domain; its capability goes to the slot. */
static inline lcd_status lcd_domain_create(lcd_u64 slot)
{
	return lcd_hypercall1(LCD_CALL_DOMAIN_CREATE, slot);
}

/* Loads the named module into the domain. A name longer than LCD_NAME_MAX is refused. */
static inline lcd_status lcd_domain_configure(lcd_u64 slot, const char *name)
{
	lcd_u64 length = 0;

	while (name[length] != '\0' && length <= LCD_NAME_MAX) {
		length++;
		/* Keeps compilers from making this a call of strlen. */
		__asm__ volatile("" : "+r"(length));
	}
	lcd_fill_buffer(name, length);
	return lcd_hypercall2(LCD_CALL_DOMAIN_CONFIGURE, slot, length);
}

/* Starts the domain's initial thread. */
static inline lcd_status lcd_domain_run(lcd_u64 slot)
{
	return lcd_hypercall1(LCD_CALL_DOMAIN_RUN, slot);
}

#endif /* __ASSEMBLER__ */
#endif /* LCD_H */
